//! Reads one member from a JSON object, or from a row with named columns as such an object. A
//! record that cannot be read whole is a failure: half a record could take a tier away.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::domain::id::Address;
use crate::domain::member_data::{parse_attribute_value, parse_word};
use crate::domain::member_source::{MemberRecord, RecordFields, SOURCE_ATTRIBUTE};

/// Most addresses of one record.
const MAX_ADDRESSES: usize = 100;

/// One row of a list: a member, or why there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedMember {
    /// Where the row is: `row 3`, `members.csv line 3`.
    pub place: String,
    /// The member's address. `None`: it cannot be read, so the row could be of any member.
    pub address: Option<Address>,
    /// What the source says about the member, or what is wrong with the row.
    pub record: Result<MemberRecord, String>,
}

impl ListedMember {
    /// Reads a row.
    pub(super) fn read(place: String, value: &Value, fields: &RecordFields) -> Self {
        let address = read_address(value, fields);
        let record = match &address {
            Err(why) => Err(why.clone()),
            Ok(None) => Err(format!("it has no `{}`", fields.address)),
            Ok(Some(_)) => read_record(value, fields),
        };
        Self {
            place,
            address: address.ok().flatten(),
            record,
        }
    }
}

/// Reads a member.
///
/// # Errors
/// Returns what is wrong with the first field that cannot be used, without the value where that may
/// be an address.
pub fn read_record(value: &Value, fields: &RecordFields) -> Result<MemberRecord, String> {
    if !value.is_object() {
        return Err("a member is not a JSON object".to_owned());
    }
    let mut attributes = BTreeMap::new();
    for (name, place) in &fields.attributes {
        // The mark of the source is maitred's own.
        if name != SOURCE_ATTRIBUTE
            && let Some(value) = field(value, place)
        {
            let text = scalar_text(place, value)?;
            let text = text
                .map(|text| parse_attribute_value(name, &text))
                .transpose()?;
            attributes.insert(name.clone(), text.filter(|text| !text.is_empty()));
        }
    }
    let tier = field(value, &fields.tier).map(|value| scalar_text(&fields.tier, value));
    let tier = tier.transpose()?.map(|tier| {
        let tier = tier.filter(|tier| !tier.trim().is_empty());
        tier.map(|tier| parse_word("the tier", &tier)).transpose()
    });
    let tags = field(value, &fields.tags).map(|value| {
        let words = list_of_texts(&fields.tags, value)?;
        let words = words.iter().map(|word| parse_word("the tag", word));
        words.collect::<Result<BTreeSet<String>, String>>()
    });
    let frozen = field(value, &fields.frozen);
    let balance = field(value, &fields.balance);
    Ok(MemberRecord {
        address: read_address(value, fields)?,
        tier: tier.transpose()?,
        tags: tags.transpose()?,
        attributes,
        aliases: read_aliases(value, fields)?,
        frozen: frozen
            .map(|value| read_flag(&fields.frozen, value))
            .transpose()?,
        balance: match balance {
            Some(value) => read_credits(&fields.balance, value)?,
            None => None,
        },
    })
}

/// Returns the value at the place: a JSON pointer, or the name of a field.
fn field<'v>(value: &'v Value, place: &str) -> Option<&'v Value> {
    if place.starts_with('/') {
        value.pointer(place)
    } else {
        value.get(place)
    }
}

fn read_address(value: &Value, fields: &RecordFields) -> Result<Option<Address>, String> {
    let Some(value) = field(value, &fields.address) else {
        return Ok(None);
    };
    let Some(text) = scalar_text(&fields.address, value)?.filter(|text| !text.trim().is_empty())
    else {
        return Ok(None);
    };
    let parsed = Address::parse(&text);
    parsed
        .map(Some)
        .map_err(|_| format!("its `{}` is not an e-mail address", fields.address))
}

fn read_aliases(value: &Value, fields: &RecordFields) -> Result<BTreeSet<Address>, String> {
    let Some(value) = field(value, &fields.aliases) else {
        return Ok(BTreeSet::new());
    };
    let texts = list_of_texts(&fields.aliases, value)?;
    if texts.len() > MAX_ADDRESSES {
        return Err(format!(
            "its `{}` has more than {MAX_ADDRESSES} addresses",
            fields.aliases
        ));
    }
    let addresses = texts.iter().map(|text| Address::parse(text));
    let addresses: Result<BTreeSet<Address>, _> = addresses.collect();
    addresses.map_err(|_| format!("its `{}` holds what is no e-mail address", fields.aliases))
}

/// Returns the value as a text; `None` for null.
fn scalar_text(place: &str, value: &Value) -> Result<Option<String>, String> {
    match value {
        Value::Null => Ok(None),
        Value::Bool(value) => Ok(Some(value.to_string())),
        Value::Number(value) => Ok(Some(value.to_string())),
        Value::String(text) => Ok(Some(text.clone())),
        Value::Array(_) | Value::Object(_) => Err(format!(
            "its `{place}` is a list or an object, where a text is expected"
        )),
    }
}

/// Returns the texts of a list, or of one text with commas, semicolons or blanks between them.
fn list_of_texts(place: &str, value: &Value) -> Result<Vec<String>, String> {
    let texts = match value {
        Value::Array(items) => {
            let texts = items.iter().map(|item| scalar_text(place, item));
            let texts: Result<Vec<Option<String>>, String> = texts.collect();
            texts?.into_iter().flatten().collect()
        }
        value => {
            let text = scalar_text(place, value)?.unwrap_or_default();
            let separators = |c: char| c == ',' || c == ';' || c.is_whitespace();
            text.split(separators).map(str::to_owned).collect()
        }
    };
    let texts: Vec<String> = texts;
    Ok(texts
        .into_iter()
        .map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty())
        .collect())
}

fn read_flag(place: &str, value: &Value) -> Result<bool, String> {
    let text = scalar_text(place, value)?.unwrap_or_default();
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "t" | "yes" | "y" | "1" => Ok(true),
        "false" | "f" | "no" | "n" | "0" | "" => Ok(false),
        _ => Err(format!("its `{place}` is neither true nor false")),
    }
}

/// Returns a whole number from 0; `None` for null and an empty text.
fn read_credits(place: &str, value: &Value) -> Result<Option<u64>, String> {
    let Some(text) = scalar_text(place, value)?.filter(|text| !text.trim().is_empty()) else {
        return Ok(None);
    };
    let number = text.trim().parse();
    number
        .map(Some)
        .map_err(|_| format!("its `{place}` is not a whole number from 0"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(attributes: &[(&str, &str)]) -> RecordFields {
        let attributes = attributes.iter();
        RecordFields {
            tier: "/plan/name".to_owned(),
            attributes: attributes
                .map(|(name, place)| ((*name).to_owned(), (*place).to_owned()))
                .collect(),
            ..RecordFields::default()
        }
    }

    #[test]
    fn fields_are_read_by_name_and_by_pointer() {
        let value = json!({
            "address": " Ann@Example.com ", "plan": {"name": "gold"}, "tags": ["b", "a"],
            "aliases": "a1@example.com; a2@example.com", "frozen": "no", "balance": "7",
            "Seat No": 12, "note": null, "source": "x", "iban": "secret",
        });
        let wanted = [
            ("seat", "Seat No"),
            ("note", "note"),
            ("source", "source"),
            ("none", "none"),
        ];
        let record = read_record(&value, &fields(&wanted)).unwrap();
        let expect = MemberRecord {
            address: Some(Address::parse("ann@example.com").unwrap()),
            tier: Some(Some("gold".to_owned())),
            tags: Some(["a".to_owned(), "b".to_owned()].into()),
            attributes: [
                ("seat".to_owned(), Some("12".to_owned())),
                ("note".to_owned(), None),
            ]
            .into(),
            aliases: ["a1@example.com", "a2@example.com"]
                .map(|text| Address::parse(text).unwrap())
                .into(),
            frozen: Some(false),
            balance: Some(7),
        };
        assert_eq!(record, expect);
        let empty = read_record(&json!({"plan": {"name": ""}, "tags": null}), &fields(&[]));
        let expect = MemberRecord {
            tier: Some(None),
            tags: Some(BTreeSet::new()),
            ..MemberRecord::default()
        };
        assert_eq!(empty.unwrap(), expect, "an empty field means none");
    }

    #[test]
    fn a_field_that_cannot_be_used_is_named() {
        let rows = [
            (json!([1]), "not a JSON object"),
            (json!({"address": "ann"}), "`address` is not an e-mail"),
            (json!({"plan": {"name": "two words"}}), "contains a space"),
            (
                json!({"plan": {"name": {}}}),
                "`/plan/name` is a list or an object",
            ),
            (json!({"aliases": ["x"]}), "`aliases` holds what is no"),
            (json!({"frozen": "maybe"}), "`frozen` is neither"),
            (json!({"balance": -1}), "`balance` is not a whole"),
            (json!({"balance": 1.5}), "`balance` is not a whole"),
            (json!({"balance": "1,000"}), "`balance` is not a whole"),
            (json!({"note": "a\nb"}), "contains a control character"),
        ];
        for (value, expect) in rows {
            let why = read_record(&value, &fields(&[("note", "note")])).unwrap_err();
            assert!(why.contains(expect), "{value}: {why}");
        }
    }
}
