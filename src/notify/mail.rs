//! Sends a notification as a mail. The connection is encrypted, except on this machine.

use std::time::Duration;

use lettre::message::Mailbox;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::transport::smtp::authentication::Credentials;
use lettre::{Address as MailAddress, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use reqwest::Url;
use secrecy::ExposeSecret;

use super::view::NotificationView;
use crate::domain::notification::target::MailSettings;
use crate::domain::secret_path::SecretPath;
use crate::external::credential::{CredentialError, read_credential};
use crate::external::message::sanitize_message;
use crate::http::is_loopback;

/// The most causes of an error that are shown.
const MAX_CAUSES: usize = 4;

/// Why mail cannot be sent at all.
#[derive(Debug, thiserror::Error)]
pub enum MailSetupError {
    /// The server cannot be used; the payload reads after "the mail server".
    #[error("the mail server {0}")]
    Server(String),
    /// An address of the configuration cannot be used.
    #[error("{0} is no address for mail")]
    Address(&'static str),
    /// The file with the password cannot be used.
    #[error(transparent)]
    Credential(#[from] CredentialError),
}

/// A mail server, and who sends and receives.
pub(super) struct MailServer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    operators: Vec<Mailbox>,
}

impl MailServer {
    pub(super) fn open(settings: &MailSettings, timeout: Duration) -> Result<Self, MailSetupError> {
        let from = mailbox(&settings.from).ok_or(MailSetupError::Address("mail-from"))?;
        let operators: Option<Vec<Mailbox>> = settings.to.iter().map(|to| mailbox(to)).collect();
        let password_file = settings.password_file.as_ref();
        Ok(Self {
            transport: open_transport(settings, password_file, timeout)?,
            from,
            operators: operators.ok_or(MailSetupError::Address("mail-to"))?,
        })
    }

    /// Sends the notification: to the operators, or to the member's own address.
    pub(super) async fn send(&self, view: &NotificationView) -> Result<(), String> {
        let recipients = match &view.member {
            // A target for members only can still be tried.
            None if self.operators.is_empty() => vec![self.from.clone()],
            None => self.operators.clone(),
            Some(member) => {
                let own = member.address.as_deref().and_then(mailbox);
                vec![own.ok_or("the account has no address for mail")?]
            }
        };
        let message = self.compose(view, recipients)?;
        let sent = self.transport.send(message).await;
        sent.map(|_| ()).map_err(|error| describe(&error))
    }

    fn compose(
        &self,
        view: &NotificationView,
        recipients: Vec<Mailbox>,
    ) -> Result<Message, String> {
        let mut message = Message::builder()
            .from(self.from.clone())
            .subject(view.subject.clone())
            // A mail that is sent again has the same id, so that mail programs show one.
            .message_id(Some(format!("<{}@{}>", view.id, self.from.email.domain())))
            .header(ContentType::TEXT_PLAIN);
        for to in recipients {
            message = message.to(to);
        }
        let message = message.body(format!("{}\n", view.text));
        let mut message = message.map_err(|error| format!("the mail cannot be made: {error}"))?;
        // Programs that answer mail by themselves leave this one alone.
        message.headers_mut().insert_raw(HeaderValue::new(
            HeaderName::new_from_ascii_str("Auto-Submitted"),
            "auto-generated".to_owned(),
        ));
        Ok(message)
    }
}

fn open_transport(
    settings: &MailSettings,
    password_file: Option<&SecretPath>,
    timeout: Duration,
) -> Result<AsyncSmtpTransport<Tokio1Executor>, MailSetupError> {
    let wrong = |why: &str| MailSetupError::Server(why.to_owned());
    let url = Url::parse(&settings.server).map_err(|_| wrong("is no address of a server"))?;
    let host = url.host_str().ok_or_else(|| wrong("has no name"))?;
    let failed = |error: lettre::transport::smtp::Error| MailSetupError::Server(describe(&error));
    let (builder, usual_port) = match url.scheme() {
        "smtps" => {
            let relay = AsyncSmtpTransport::<Tokio1Executor>::relay(host);
            (relay.map_err(failed)?, 465)
        }
        "smtp" if is_loopback(&url) => {
            let local = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host);
            (local, 25)
        }
        "smtp" => {
            let relay = AsyncSmtpTransport::<Tokio1Executor>::starttls_relay(host);
            (relay.map_err(failed)?, 587)
        }
        _ => return Err(wrong("must begin with smtps:// or smtp://")),
    };
    let mut builder = builder
        .port(url.port().unwrap_or(usual_port))
        .timeout(Some(timeout));
    if let Some(user) = &settings.user {
        let password = match password_file {
            Some(path) => read_credential(path, "password-file")?
                .expose_secret()
                .to_owned(),
            None => String::new(),
        };
        builder = builder.credentials(Credentials::new(user.clone(), password));
    }
    Ok(builder.build())
}

fn mailbox(text: &str) -> Option<Mailbox> {
    let address: MailAddress = text.parse().ok()?;
    Some(Mailbox::new(None, address))
}

/// Returns an error and its causes on one line, without addresses.
fn describe(error: &(dyn std::error::Error + 'static)) -> String {
    let mut parts = vec![error.to_string()];
    let mut cause = error.source();
    while let Some(inner) = cause.filter(|_| parts.len() < MAX_CAUSES) {
        let text = inner.to_string();
        if !parts.iter().any(|part| part.contains(&text)) {
            parts.push(text);
        }
        cause = inner.source();
    }
    sanitize_message(&parts.join(": "))
}
