//! Reads the JSON of commands and endpoints: one member, no member, or a list of members.

use serde_json::Value;

use super::record::{ListedMember, read_record};
use crate::domain::member_source::{MAX_MEMBERS, MemberRecord, RecordFields};
use crate::external::failure::QueryFailure;
use crate::external::json::parse_json;

/// The largest answer about one member, in bytes.
pub(super) const MAX_MEMBER_BYTES: usize = 64 * 1024;

/// The largest list of members, in bytes.
pub(super) const MAX_LIST_BYTES: usize = 64 * 1024 * 1024;

/// Reads an answer about one booker: an object, null, or a list with at most one object. `at` is the
/// JSON pointer to it. `None`: there is no such member.
pub(super) fn read_member(
    bytes: &[u8],
    at: Option<&str>,
    fields: &RecordFields,
) -> Result<Option<MemberRecord>, QueryFailure> {
    let answer = parse_json(bytes)?;
    let value = find(&answer, at)?;
    let member = match value {
        Value::Null => return Ok(None),
        Value::Array(items) if items.is_empty() => return Ok(None),
        Value::Array(items) if items.len() == 1 => &items[0],
        Value::Array(items) => return Err(several_members(items.len())),
        value => value,
    };
    read_record(member, fields)
        .map(Some)
        .map_err(|why| QueryFailure::for_this_request(format!("its answer is no member: {why}")))
}

/// Returns the failure of a source that gives several members for one booker.
pub(super) fn several_members(count: usize) -> QueryFailure {
    QueryFailure::for_this_request(format!("it gave {count} members for one booker"))
}

/// Returns the failure of a list that is too long.
pub(super) fn too_many_members() -> QueryFailure {
    QueryFailure::for_this_request(format!("it lists more than {MAX_MEMBERS} members"))
}

/// Reads the list of all members. `at` is the JSON pointer to it.
pub(super) fn read_members(
    bytes: &[u8],
    at: Option<&str>,
    fields: &RecordFields,
) -> Result<Vec<ListedMember>, QueryFailure> {
    let answer = parse_json(bytes)?;
    let Value::Array(items) = find(&answer, at)? else {
        return Err(QueryFailure::for_this_request(
            "its answer is not a list of members",
        ));
    };
    if items.len() > MAX_MEMBERS {
        return Err(too_many_members());
    }
    let members = items.iter().enumerate();
    Ok(members
        .map(|(at, value)| ListedMember::read(format!("row {}", at + 1), value, fields))
        .collect())
}

fn find<'v>(answer: &'v Value, at: Option<&str>) -> Result<&'v Value, QueryFailure> {
    let Some(pointer) = at else {
        return Ok(answer);
    };
    answer.pointer(pointer).ok_or_else(|| {
        QueryFailure::for_this_request(format!("its answer has nothing at {pointer}"))
    })
}
