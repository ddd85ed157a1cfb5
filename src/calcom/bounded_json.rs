//! Parses JSON from untrusted senders. Values that are nested deeper than [`MAX_DEPTH`] are skipped
//! and read as null: one booking with an absurd answer must not make the whole page unreadable,
//! which is what a parser's own recursion limit would do.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// The deepest nesting that is read. Cal.com's own shapes are about 6 levels deep inside an answer;
/// what a booker typed is hardly deeper. The limit is far below serde_json's limit of 128, which is
/// therefore never reached.
const MAX_DEPTH: usize = 24;

/// The memory that an answer's values may take in addition to their texts, which are not larger
/// than the answer. 250 bookings take some 4 MB, 3000 in a list of v1 some 40 MB. A body of 8 MiB
/// could be made to take 600 MB, and sixteen bodies may be under way.
const MAX_MEMORY: usize = 64 * 1024 * 1024;

/// The memory of a value in its list or object, including the spare capacity of a list or object
/// that grows.
const VALUE_BYTES: usize = 2 * size_of::<Value>();

/// The additional memory of the first item of a list: room is made for four.
const LIST_BYTES: usize = 4 * size_of::<Value>();

/// The additional memory of the first field of an object: a node of the tree, with room for eleven.
const OBJECT_BYTES: usize = 11 * (size_of::<Value>() + size_of::<String>());

/// # Errors
/// Returns an error if the bytes are not one JSON value in UTF-8, or if the value would take too
/// much memory.
pub(super) fn parse(bytes: &[u8]) -> Result<Value, serde_json::Error> {
    let remaining = Cell::new(MAX_MEMORY);
    let top = BoundedSeed {
        levels: MAX_DEPTH,
        remaining: &remaining,
    };
    let mut source = serde_json::Deserializer::from_slice(bytes);
    let value = top.deserialize(&mut source)?;
    source.end()?;
    Ok(value)
}

/// Reads one value, with this many levels still allowed and this much memory for the whole answer.
#[derive(Clone, Copy)]
struct BoundedSeed<'m> {
    levels: usize,
    remaining: &'m Cell<usize>,
}

impl BoundedSeed<'_> {
    fn descend(self) -> Self {
        Self {
            levels: self.levels - 1,
            ..self
        }
    }

    fn reserve_memory<E: Error>(self, bytes: usize) -> Result<(), E> {
        let remaining = self.remaining.get().checked_sub(bytes);
        let remaining = remaining.ok_or_else(|| {
            E::custom(format_args!(
                "more values than fit into {} MiB",
                MAX_MEMORY >> 20
            ))
        })?;
        self.remaining.set(remaining);
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for BoundedSeed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<Value, D::Error> {
        if self.levels == 0 {
            source.deserialize_ignored_any(IgnoredAny)?;
            return Ok(Value::Null);
        }
        source.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for BoundedSeed<'_> {
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
        while let Some(item) = source.next_element_seed(self.descend())? {
            self.reserve_memory(if list.is_empty() {
                LIST_BYTES + VALUE_BYTES
            } else {
                VALUE_BYTES
            })?;
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut source: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(name) = source.next_key::<String>()? {
            self.reserve_memory(if map.is_empty() {
                OBJECT_BYTES + VALUE_BYTES
            } else {
                VALUE_BYTES
            })?;
            map.insert(name, source.next_value_seed(self.descend())?);
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
        assert_eq!(parse(text.as_bytes()).unwrap(), expect);
    }

    #[test]
    fn what_is_too_deep_is_null_and_the_rest_is_read() {
        for depth in [200, 100_000] {
            let deep = format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
            let text = format!(r#"{{"deep":{deep},"uid":"u"}}"#);
            let value = parse(text.as_bytes()).unwrap();
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
    fn what_would_take_too_much_memory_is_refused() {
        let rows = [
            ("0", 1_100_000, false),
            ("0", 1_000_000, true),
            ("[0]", 300_000, false),
            (r#"{"a":0}"#, 100_000, false),
            (r#"{"a":0}"#, 80_000, true),
            ("[]", 1_000_000, true),
        ];
        for (item, count, good) in rows {
            let text = format!("[{}]", vec![item; count].join(","));
            let got = parse(text.as_bytes()).map_err(|error| error.to_string());
            assert_eq!(got.is_ok(), good, "{count} times {item}");
            if let Err(error) = got {
                assert!(
                    error.contains("more values than fit into 64 MiB"),
                    "{error}"
                );
            }
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
            assert!(parse(bad).is_err(), "{:?}", String::from_utf8_lossy(bad));
        }
    }
}
