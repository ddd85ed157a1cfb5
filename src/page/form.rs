//! Forms that change something. Each carries the secret of its session, which no other site knows.

use std::sync::Arc;

use axum::extract::{Form, FromRequest, Request};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use maud::html;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::access::is_secret;
use super::document::message_page;
use super::guard::LoggedIn;
use super::service::PageService;

/// A form that the page itself made for this session.
#[derive(Debug)]
pub struct ChangeForm<T> {
    /// The browser that sent the form.
    pub browser: LoggedIn,
    /// The other fields.
    pub fields: T,
}

#[derive(Deserialize)]
struct WithToken<T> {
    #[serde(rename = "form-token")]
    token: String,
    #[serde(flatten)]
    fields: T,
}

/// The fields of a form that has none of its own.
#[derive(Debug, Deserialize)]
pub struct NoFields {}

impl<T: DeserializeOwned> FromRequest<Arc<PageService>> for ChangeForm<T> {
    type Rejection = Response;

    async fn from_request(
        request: Request,
        service: &Arc<PageService>,
    ) -> Result<Self, Self::Rejection> {
        use axum::RequestExt as _;
        let mut request = request;
        let browser = request
            .extract_parts_with_state::<LoggedIn, _>(service)
            .await?;
        let Form(form) = Form::<WithToken<T>>::from_request(request, service)
            .await
            .map_err(|rejection| rejection.into_response())?;
        if !is_secret(&browser.session.form_token, &form.token) {
            return Err(message_page(
                StatusCode::FORBIDDEN,
                "An old form",
                &html! {
                    p { "This form is not from the present session. Nothing was done." }
                    p { a href="/" { "Begin at the overview" } }
                },
            ));
        }
        Ok(Self {
            browser,
            fields: form.fields,
        })
    }
}
