//! Parses what a lookup returns: one JSON value, or the reason why there is none.

use serde_json::Value;

use crate::domain::booking::Answer;
use crate::external::failure::QueryFailure;
use crate::external::json::parse_json;

/// The largest answer, in bytes: facts about one person, not a data set.
pub const MAX_RESPONSE_BYTES: usize = 64 * 1024;

/// Parses the one JSON value.
pub(super) fn parse_response(bytes: &[u8]) -> Result<Answer, QueryFailure> {
    parse_json(bytes).map(to_answer)
}

fn to_answer(value: Value) -> Answer {
    match value {
        Value::Null => Answer::Null,
        Value::Bool(value) => Answer::Bool(value),
        Value::Number(value) => value.as_f64().map_or(Answer::Null, Answer::Number),
        Value::String(value) => Answer::Text(value),
        Value::Array(items) => Answer::List(items.into_iter().map(to_answer).collect()),
        Value::Object(fields) => Answer::Map(
            fields
                .into_iter()
                .map(|(name, value)| (name, to_answer(value)))
                .collect(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_single_json_value_is_accepted() {
        let map = Answer::Map(
            [
                ("ok".to_owned(), Answer::Bool(true)),
                (
                    "of".to_owned(),
                    Answer::List(vec![Answer::Number(2.0), Answer::Null]),
                ),
            ]
            .into(),
        );
        let rows = [
            ("null", Some(Answer::Null)),
            (" true\n", Some(Answer::Bool(true))),
            ("\"gold\"", Some(Answer::Text("gold".to_owned()))),
            ("{\"ok\":true,\"of\":[2,null]}", Some(map)),
            ("", None),
            ("true false", None),
            ("gold", None),
            ("{\"ok\":", None),
        ];
        for (text, expect) in rows {
            let got = parse_response(text.as_bytes());
            assert_eq!(got.as_ref().ok(), expect.as_ref(), "{text}");
            if let Err(error) = got {
                assert!(!error.is_unavailable);
                assert!(!error.why.contains("gold"), "{error}");
            }
        }
        // So deep that reading it would use up the stack.
        assert!(parse_response("[".repeat(10_000).as_bytes()).is_err());
        assert!(parse_response(&[0xff, 0xfe]).is_err());
    }
}
