//! An answer for people or for machines, whichever it is.

use super::layout::Page;
use super::{account, clean, credits, decisions, explain, house, pass, review, unresolved};
use crate::control::protocol::Answer;

/// Renders an answer for people, on the page.
pub fn plain(answer: &Answer, page: &Page) -> String {
    match clean::answer(answer, |text| page.text(text)) {
        Answer::Pass(view) => pass::plain(&view, page),
        Answer::Status(view) => house::status(&view, page),
        Answer::Given(view) => credits::given(&view, page),
        Answer::Import(view) => credits::import(&view),
        Answer::Grants(view) => credits::grants(&view, page),
        Answer::Account(view) => account::account(&view, page),
        Answer::Accounts(view) => account::accounts(&view, page),
        Answer::Statement(view) => account::statement(&view, page),
        Answer::Decisions(view) => decisions::plain(&view, page),
        Answer::Explain(view) => explain::explain(&view, page),
        Answer::Evaluate(view) => explain::evaluate(&view, page),
        Answer::Reviews(view) => review::list(&view, page),
        Answer::Reviewed(view) => review::said(&view, page),
        Answer::Charges(view) => explain::charge_list(&view, page),
        Answer::Unresolved(view) => unresolved::list(&view, page),
        Answer::Verify(view) => house::verify(&view),
        Answer::CreditsExport(view) => credits::export(&view),
        Answer::Head(view) => house::head(&view),
        Answer::Ledger(view) => house::ledger(&view, page),
    }
}

/// For machines: the view itself on one line.
pub fn json(answer: &Answer) -> String {
    let text = match answer {
        Answer::Pass(view) => serde_json::to_string(view),
        Answer::Status(view) => serde_json::to_string(view),
        Answer::Given(view) => serde_json::to_string(view),
        Answer::Import(view) => serde_json::to_string(view),
        Answer::Grants(view) => serde_json::to_string(view),
        Answer::Account(view) => serde_json::to_string(view),
        Answer::Accounts(view) => serde_json::to_string(view),
        Answer::Statement(view) => serde_json::to_string(view),
        Answer::Decisions(view) => serde_json::to_string(view),
        Answer::Explain(view) => serde_json::to_string(view),
        Answer::Evaluate(view) => serde_json::to_string(view),
        Answer::Reviews(view) => serde_json::to_string(view),
        Answer::Reviewed(view) => serde_json::to_string(view),
        Answer::Charges(view) => serde_json::to_string(view),
        Answer::Unresolved(view) => serde_json::to_string(view),
        Answer::Verify(view) => serde_json::to_string(view),
        Answer::CreditsExport(view) => serde_json::to_string(view),
        Answer::Head(view) => serde_json::to_string(view),
        Answer::Ledger(view) => serde_json::to_string(view),
    };
    clean::json(&text.expect("views have only keys that are texts")) + "\n"
}

#[cfg(test)]
mod tests;
