//! Reads JSON as strangers send it. What is nested deeper than [`MAX_DEPTH`] is skipped and stands
//! as null: one booking with an absurd answer must not make the whole page unreadable, which is
//! what a parser's own recursion limit would do.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Cal.com's own shapes are about 6 deep inside an answer; what a booker typed is hardly deeper.
/// Far below serde_json's limit of 128, which is thus never met.
const MAX_DEPTH: usize = 24;

/// # Errors
/// When the bytes are not one JSON value in UTF-8.
pub(super) fn read(bytes: &[u8]) -> Result<Value, serde_json::Error> {
    let mut source = serde_json::Deserializer::from_slice(bytes);
    let value = Bounded(MAX_DEPTH).deserialize(&mut source)?;
    source.end()?;
    Ok(value)
}

/// Reads one value with this many levels still allowed.
#[derive(Clone, Copy)]
struct Bounded(usize);

impl<'de> DeserializeSeed<'de> for Bounded {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<Value, D::Error> {
        if self.0 == 0 {
            source.deserialize_ignored_any(IgnoredAny)?;
            return Ok(Value::Null);
        }
        source.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Bounded {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut source: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = source.next_element_seed(Bounded(self.0 - 1))? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut source: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(name) = source.next_key::<String>()? {
            map.insert(name, source.next_value_seed(Bounded(self.0 - 1))?);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_serde_json_reads() {
        let text =
            r#"{"a":[1,-2,3.5,"x",true,null,{"b":{}}],"c":"\u00e4\n","d":18446744073709551615}"#;
        let expect: Value = serde_json::from_str(text).unwrap();
        assert_eq!(read(text.as_bytes()).unwrap(), expect);
    }

    #[test]
    fn what_is_too_deep_is_null_and_the_rest_is_read() {
        for depth in [200, 100_000] {
            let deep = format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
            let text = format!(r#"{{"deep":{deep},"uid":"u"}}"#);
            let value = read(text.as_bytes()).unwrap();
            assert_eq!(value["uid"], "u");
            let mut levels = 0;
            let mut inner = &value["deep"];
            while let Some(next) = inner.get(0) {
                inner = next;
                levels += 1;
            }
            assert!(inner.is_null());
            assert!(levels < MAX_DEPTH);
        }
    }

    #[test]
    fn what_is_not_one_value_is_an_error() {
        for bad in [
            &b""[..],
            b"{",
            b"{}{}",
            b"<html>",
            b"{\"a\":}",
            b"\"\xff\"",
            b"{\"a\":1",
            b"nul",
        ] {
            assert!(read(bad).is_err(), "{:?}", String::from_utf8_lossy(bad));
        }
    }
}
