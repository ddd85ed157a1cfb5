//! Reads and writes a variant of an enum whose name stands in a path and not in the JSON.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, IntoDeserializer, VariantAccess, Visitor,
};
use serde::{Deserialize, Serialize, forward_to_deserialize_any};
use serde_path_to_error::{Deserializer as Tracked, Track};

/// Reads the variant with this name of the enum `T` from its fields. An error names the field.
///
/// # Errors
/// Fails when the fields are not those of the variant.
pub fn read_variant<'de, T, D>(name: &'static str, fields: D) -> Result<T, String>
where
    T: Deserialize<'de>,
    D: Deserializer<'de, Error: fmt::Display>,
{
    let mut track = Track::new();
    let fields = Tracked::new(fields, &mut track);
    T::deserialize(NamedVariant { name, fields }).map_err(|error| {
        let error = error.to_string();
        let place = track.path().to_string();
        let says_place = error.contains(&format!("`{place}`"));
        if says_place || matches!(place.as_str(), "." | "?") {
            error
        } else {
            format!("{place}: {error}")
        }
    })
}

/// Writes a value of an enum as JSON. Returns the whole text, the name of the variant, and where
/// the fields are in the text.
///
/// # Panics
/// Panics when the value cannot be written, or is not a variant with content: a defect.
pub fn write_variant(value: &impl Serialize) -> (String, String, Range<usize>) {
    let text = serde_json::to_string(value).expect("commands and results have only text keys");
    // Serde writes {"NAME":FIELDS}, and a name has no character that JSON escapes.
    let name_and_fields = text
        .strip_prefix("{\"")
        .and_then(|rest| rest.split_once("\":"));
    let (name, _) = name_and_fields.expect("a variant with content is an object with one key");
    let name = name.to_owned();
    let fields = name.len() + "{\"\":".len()..text.len() - "}".len();
    (text, name, fields)
}

/// A variant of an enum: its name, and what deserializes its fields.
struct NamedVariant<D> {
    name: &'static str,
    fields: D,
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for NamedVariant<D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        visitor.visit_enum(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier
        ignored_any
    }
}

impl<'de, D: Deserializer<'de>> EnumAccess<'de> for NamedVariant<D> {
    type Error = D::Error;
    type Variant = VariantFields<D>;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Self::Variant), D::Error> {
        let name: StrDeserializer<'_, D::Error> = self.name.into_deserializer();
        Ok((seed.deserialize(name)?, VariantFields(self.fields)))
    }
}

struct VariantFields<D>(D);

impl<'de, D: Deserializer<'de>> VariantAccess<'de> for VariantFields<D> {
    type Error = D::Error;

    fn unit_variant(self) -> Result<(), D::Error> {
        Err(D::Error::custom("a variant without fields has no request"))
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, D::Error> {
        seed.deserialize(self.0)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_tuple(len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_struct("", fields, visitor)
    }
}

/// Returns the names of the variants of an enum, as serde writes them.
pub fn names_of<'de, T: Deserialize<'de>>() -> impl Iterator<Item = &'static str> {
    let mut names: &[&str] = &[];
    let asked = T::deserialize(NamesOnly(&mut names, PhantomData));
    debug_assert!(asked.is_err(), "no variant was given");
    names.iter().copied()
}

/// Notes the names of the variants of the enum that is deserialized, and then fails.
struct NamesOnly<'a, 'de>(&'a mut &'static [&'static str], PhantomData<&'de ()>);

impl<'de> Deserializer<'de> for NamesOnly<'_, 'de> {
    type Error = serde::de::value::Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
        Err(Self::Error::custom("no enum"))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Self::Error> {
        *self.0 = variants;
        Err(Self::Error::custom("only the names"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}
