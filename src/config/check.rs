//! Checks what no single key shows: values that are well formed, but hardly what the operator
//! meant. The results are warnings only; the configuration works as it is written.

use std::time::Duration;

use reqwest::Url;

use super::diagnostic_collector::DiagnosticCollector;
use super::model::Config;
use super::value::is_local;
use crate::domain::dialect::Dialect;
use crate::domain::time::Span;

/// What an operator who uses API version v1 must know. `config.toml` says it in the same words.
const V1_DEFECTS: [&str; 5] = [
    "an accept sends no mail and no webhook and makes no calendar entry",
    "a refusal is a cancellation",
    "the API key stands in every URL, and so in the logs of proxies",
    "30 requests in 60 s at most, where a list counts as two, and the fifth refusal for that \
     within 30 minutes locks the account",
    "each occurrence of a series is decided on its own",
];

/// Hosts that serve the web pages of Cal.com and no API.
const WEB_HOSTS: [&str; 5] = [
    "app.cal.com",
    "cal.com",
    "www.cal.com",
    "app.cal.eu",
    "cal.eu",
];

/// The host of the hosted API.
const HOSTED_API: &str = "api.cal.com";

/// The share of the rate limit up to which there is room for other users of the key.
const MAX_BUDGET: u8 = 80;

/// The shortest reasonable interval for polling the hosted service. Polling more often takes a
/// fifth of the service's limit for lists that show nothing new.
const SHORTEST_POLL: Span = Span::seconds(5);

/// The shortest reasonable timeout. Cal.com makes calendar entries and sends mails before it
/// answers a confirm.
const SHORTEST_TIMEOUT: Duration = Duration::from_secs(15);

/// Checks the whole configuration.
pub(super) fn check(config: &Config, report: &mut DiagnosticCollector<'_>) {
    let url = Url::parse(&config.calcom.base_url).ok();
    let host = url.as_ref().and_then(Url::host_str).unwrap_or_default();
    if let Some(url) = &url {
        check_address(url, host, report);
    }
    check_dialect(config, host, report);
    check_request_rate(config, host, report);
    check_timeouts(config, report);
    check_metrics(config, report);
    if config.policy.limits.declines.at_most == 0 {
        let problem = "with 0 no request is ever declined".to_owned();
        let help = "what would be declined stays pending and is shown by `maitred plan`; give 1 or \
            more to decline";
        report.warn("limits.declines", problem, help);
    }
    if config.policy.gates.is_empty() {
        let problem = "there is no [[gate]]: no booking will be touched".to_owned();
        let help = "add a [[gate]] with the event types that maitred is to answer";
        report.warn("gate", problem, help);
    }
}

fn check_address(url: &Url, host: &str, report: &mut DiagnosticCollector<'_>) {
    let key = "calcom.base-url";
    if url.scheme() == "http" && !is_local(host) {
        let problem = "the API key would cross the network unencrypted".to_owned();
        report.warn(
            key,
            problem,
            "use https, unless the network between is your own",
        );
    }
    if WEB_HOSTS.contains(&host) {
        let problem = format!("{host} serves web pages and no API");
        report.warn(key, problem, "the hosted API is at \"https://api.cal.com\"");
    }
    let path = url.path().trim_end_matches('/');
    if let Some(version) = ["/v1", "/v2"].iter().find(|v| path.ends_with(**v)) {
        let problem = format!("maitred adds the version itself: calls would go to {version}/v…");
        report.warn(key, problem, format!("leave out {version} at the end"));
    }
}

fn check_dialect(config: &Config, host: &str, report: &mut DiagnosticCollector<'_>) {
    match config.calcom.dialect {
        Dialect::V2 => {}
        Dialect::V1 => {
            if host == HOSTED_API {
                let problem = "the hosted service has had no v1 since 2026-04-08".to_owned();
                report.warn("calcom.dialect", problem, "set dialect = \"v2\"");
            }
            let problem = format!("dialect v1 has defects: {}", V1_DEFECTS.join("; "));
            let help = "use \"v2\" wherever the server has it: the same key works";
            report.warn("calcom.dialect", problem, help);
        }
    }
}

fn check_request_rate(config: &Config, host: &str, report: &mut DiagnosticCollector<'_>) {
    let budget = config.calcom.budget;
    if budget > MAX_BUDGET {
        let problem = format!("{budget}% leaves next to nothing for others that use the key");
        let help = "Cal.com counts all calls of a key, also those refused, and locks accounts that \
            often go over the limit; \"50%\" is safe";
        report.warn("calcom.budget", problem, help);
    }
    let poll = config.schedule.poll.shortest_interval();
    if host == HOSTED_API && poll < SHORTEST_POLL {
        let problem = "polling the hosted service this often uses up its limit".to_owned();
        let help = "it allows 120 calls in 60 s, and 60 of them at a budget of 50%; \"15s\" is \
            quick enough for a person who waits";
        report.warn("schedule.poll", problem, help);
    }
}

fn check_timeouts(config: &Config, report: &mut DiagnosticCollector<'_>) {
    let calcom = &config.calcom;
    if calcom.timeout < SHORTEST_TIMEOUT {
        let problem = "calls may be given up that continue at the server".to_owned();
        let help = "a confirm makes calendar entries and sends mails before it is answered: give \
            \"15s\" or more";
        report.warn("calcom.timeout", problem, help);
    }
    if calcom.connect_timeout > calcom.timeout {
        let problem = "this is longer than calcom.timeout, and so never reached".to_owned();
        report.warn(
            "calcom.connect-timeout",
            problem,
            "make it the shorter of the two",
        );
    }
}

fn check_metrics(config: &Config, report: &mut DiagnosticCollector<'_>) {
    let file = config.metrics.file.as_deref();
    if let Some(file) = file.filter(|file| file.extension().is_none_or(|end| end != "prom")) {
        let problem = format!(
            "node_exporter does not read {}",
            report.show(&file.display().to_string())
        );
        let help = "its textfile collector reads only files whose names end in .prom";
        report.warn("metrics.file", problem, help);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::model::SHIPPED_CONFIG;

    #[test]
    fn the_shipped_configuration_lists_the_v1_defects_word_for_word() {
        let words: Vec<&str> = SHIPPED_CONFIG
            .split_whitespace()
            .filter(|word| *word != "#")
            .collect();
        let text = words.join(" ");
        for defect in V1_DEFECTS {
            assert!(text.contains(&format!("- {defect}")), "{defect}");
        }
    }

    #[test]
    fn local_hosts_are_recognized() {
        let rows = [
            ("localhost", true),
            ("cal.localhost", true),
            ("127.0.0.1", true),
            ("127.9.9.9", true),
            ("[::1]", true),
            ("10.0.0.1", false),
            ("localhost.example.com", false),
            ("api.cal.com", false),
        ];
        for (host, expect) in rows {
            assert_eq!(is_local(host), expect, "{host}");
        }
    }
}
