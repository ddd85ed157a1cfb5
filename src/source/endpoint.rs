//! An HTTP endpoint with members. 404 and 410 mean that there is no such member. An answer with a
//! validator (`ETag`) is asked for again with the validator, and kept while the server says that it
//! has not changed.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::HeaderValue;

use super::json_answer::{MAX_LIST_BYTES, MAX_MEMBER_BYTES, read_member, read_members};
use super::question::MemberQuestion;
use super::record::ListedMember;
use super::setup_error::SourceFlaw;
use crate::domain::member_source::{HttpSource, MemberRecord, RecordFields};
use crate::external::credential::read_credential;
use crate::external::failure::QueryFailure;
use crate::external::query_http::{EndpointRequest, HttpEndpoint};
use crate::external::template::TemplateValues;

/// The most answers with a validator that are kept. If there are more, all are dropped.
const MAX_VALIDATED: usize = 10_000;

/// An endpoint that is ready to be asked.
pub(super) struct MemberEndpoint {
    one: Option<HttpEndpoint>,
    all: Option<HttpEndpoint>,
    member_at: Option<String>,
    members_at: Option<String>,
    validated: Mutex<BTreeMap<String, (HeaderValue, Option<MemberRecord>)>>,
}

impl MemberEndpoint {
    pub(super) fn open(http: &HttpSource) -> Result<Self, SourceFlaw> {
        let credential = http.credential_file.as_ref();
        let credential = credential.map(|path| read_credential(path, "credential-file"));
        let credential = credential.transpose()?;
        let open = |url: &Option<String>, body: &Option<String>| {
            let Some(url) = url else { return Ok(None) };
            let body = body.as_deref();
            let needs_address = !body.is_some_and(|body| body.contains("{address}"));
            let request = EndpointRequest {
                url,
                needs_address,
                body,
                headers: &http.headers,
                credential: credential.as_ref(),
            };
            HttpEndpoint::open(&request).map(Some)
        };
        let all = http.url_all.as_ref().map(|url| {
            HttpEndpoint::open(&EndpointRequest {
                url,
                needs_address: false,
                body: http.body_all.as_deref(),
                headers: &http.headers,
                credential: credential.as_ref(),
            })
        });
        Ok(Self {
            one: open(&http.url, &http.body)?,
            all: all.transpose()?,
            member_at: http.member_at.clone(),
            members_at: http.members_at.clone(),
            validated: Mutex::default(),
        })
    }

    pub(super) async fn find(
        &self,
        question: &MemberQuestion,
        fields: &RecordFields,
        timeout: Duration,
    ) -> Result<Option<MemberRecord>, QueryFailure> {
        let endpoint = self.one.as_ref().ok_or_else(no_url)?;
        let key = question.cache_key();
        let known = self.validated_answer(&key);
        let values = question.template_values();
        let etag = known.as_ref().map(|(etag, _)| etag);
        let answer = endpoint
            .ask(&values, etag, MAX_MEMBER_BYTES, timeout)
            .await?;
        if answer.status == StatusCode::NOT_MODIFIED
            && let Some((_, record)) = known
        {
            return Ok(record);
        }
        let etag = answer.etag.clone();
        let record = match answer.status {
            StatusCode::NOT_FOUND | StatusCode::GONE => None,
            _ => read_member(&answer.into_body()?, self.member_at.as_deref(), fields)?,
        };
        self.remember(key, etag, &record);
        Ok(record)
    }

    pub(super) async fn list(
        &self,
        fields: &RecordFields,
        timeout: Duration,
    ) -> Result<Vec<ListedMember>, QueryFailure> {
        let endpoint = self.all.as_ref().ok_or_else(no_url)?;
        let values = TemplateValues::new();
        let answer = endpoint.ask(&values, None, MAX_LIST_BYTES, timeout).await?;
        read_members(&answer.into_body()?, self.members_at.as_deref(), fields)
    }

    fn validated_answer(&self, key: &str) -> Option<(HeaderValue, Option<MemberRecord>)> {
        let validated = self.validated.lock();
        let validated = validated.unwrap_or_else(PoisonError::into_inner);
        validated.get(key).cloned()
    }

    fn remember(&self, key: String, etag: Option<HeaderValue>, record: &Option<MemberRecord>) {
        let validated = self.validated.lock();
        let mut validated = validated.unwrap_or_else(PoisonError::into_inner);
        match etag {
            Some(etag) => {
                if validated.len() >= MAX_VALIDATED {
                    validated.clear();
                }
                validated.insert(key, (etag, record.clone()));
            }
            None => {
                validated.remove(&key);
            }
        }
    }
}

fn no_url() -> QueryFailure {
    QueryFailure::for_this_request("no url is configured for this question")
}
