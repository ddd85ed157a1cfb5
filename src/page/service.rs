//! What the page is made of while the daemon runs: who may use it, where it is reached, and the way to
//! the daemon's commands. The daemon's loop has the same handle.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, SecondsFormat, Utc};
use chrono_tz::Tz;
use tokio::sync::mpsc;

use super::access::Access;
use super::context::{LinkTarget, ViewContext};
use super::metrics_source::MetricsSource;
use super::origin::Origins;
use super::sealed_name::NameSealer;
use crate::control::exit;
use crate::control::protocol::problem::ProblemView;
use crate::control::protocol::status::PageLinkView;
use crate::control::protocol::{Refusal, SCHEMA};
use crate::control::server::ReceivedCommand;

/// The clock that gives the present time.
pub type PageClock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// What an operator has configured for the page.
#[derive(Debug, Clone)]
pub struct PageSettings {
    /// The address to listen on.
    pub listen: SocketAddr,
    /// The origins under which browsers reach the page, in addition to that of `listen`.
    pub origins: Vec<String>,
    /// The operator's time zone.
    pub zone: Tz,
}

/// The page of a running daemon.
pub struct PageService {
    /// Who may use the page.
    pub access: Access,
    /// Seals the names in addresses.
    pub sealer: NameSealer,
    /// Where commands go.
    pub commands: mpsc::Sender<ReceivedCommand>,
    /// Where the metrics come from.
    pub metrics: MetricsSource,
    settings: PageSettings,
    clock: PageClock,
    state: Mutex<PageState>,
}

struct PageState {
    zone: Tz,
    listening: Listening,
}

enum Listening {
    /// The page is served under these origins.
    Yes(Arc<Origins>),
    /// The address cannot be used, for this reason.
    No(String),
}

impl PageService {
    /// Returns the page, which is not served yet.
    pub fn new(
        settings: PageSettings,
        clock: PageClock,
        commands: mpsc::Sender<ReceivedCommand>,
        metrics: MetricsSource,
    ) -> Arc<Self> {
        Arc::new(Self {
            access: Access::default(),
            sealer: NameSealer::new(),
            commands,
            metrics,
            state: Mutex::new(PageState {
                zone: settings.zone,
                listening: Listening::No("it has not begun to listen".to_owned()),
            }),
            settings,
            clock,
        })
    }

    /// Returns the address that the page listens on.
    pub fn listen(&self) -> SocketAddr {
        self.settings.listen
    }

    /// Returns the present time.
    pub fn now(&self) -> DateTime<Utc> {
        (self.clock)()
    }

    /// Returns what views show values with.
    pub fn context(&self) -> ViewContext<'_> {
        ViewContext {
            now: self.now(),
            zone: self.lock().zone,
            links: LinkTarget::Page(&self.sealer),
        }
    }

    /// Shows times in another zone from now on.
    pub fn set_zone(&self, zone: Tz) {
        self.lock().zone = zone;
    }

    /// Records that the page is served at this address. The port is the one that the system chose, if
    /// the configuration left the choice to it.
    pub fn record_listening(&self, address: SocketAddr) {
        let origins = Origins::new(address, &self.settings.origins);
        self.lock().listening = Listening::Yes(Arc::new(origins));
    }

    /// Records why the page is not served.
    pub fn record_failure(&self, why: String) {
        self.lock().listening = Listening::No(why);
    }

    /// Returns the origins of the page; `None` while it is not served.
    pub fn origins(&self) -> Option<Arc<Origins>> {
        match &self.lock().listening {
            Listening::Yes(origins) => Some(Arc::clone(origins)),
            Listening::No(_) => None,
        }
    }

    /// Returns why the page is not served, for the status; `None` while it is.
    pub fn problem(&self) -> Option<ProblemView> {
        match &self.lock().listening {
            Listening::Yes(_) => None,
            Listening::No(why) => Some(ProblemView {
                code: "page-not-served".to_owned(),
                text: why.clone(),
            }),
        }
    }

    /// Makes a link that logs one browser in, for this user.
    ///
    /// # Errors
    /// Returns a refusal while the page is not served.
    pub fn link(&self, uid: Option<u32>) -> Result<PageLinkView, Refusal> {
        let origins = self.origins().ok_or_else(|| Refusal {
            exit: exit::UNREACHABLE,
            code: "unreachable".to_owned(),
            text: self
                .problem()
                .map_or_else(String::new, |problem| problem.text),
        })?;
        let link = self.access.issue_link(uid, self.now());
        Ok(PageLinkView {
            schema: SCHEMA,
            url: format!("{}/login?token={}", origins.first(), link.token),
            expires: link.expires.to_rfc3339_opts(SecondsFormat::Millis, true),
        })
    }

    /// Returns the name of the page's cookie. Cookies do not tell ports apart, so that two daemons on
    /// one machine need two names.
    pub fn cookie_name(&self) -> String {
        format!("maitred-{}", self.settings.listen.port())
    }

    fn lock(&self) -> MutexGuard<'_, PageState> {
        // Every change is a whole one, so that a panic elsewhere leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
