//! The page has every key.

use super::*;
use crate::config::key::KeyValue;

/// Returns a text as it stands in the page.
fn escape(text: &str) -> String {
    text.replace('\\', r"\\").replace('-', r"\-")
}

#[test]
fn every_key_is_on_the_page_with_its_type_and_its_value() {
    let page = man_page().to_roff();
    let mut rest = page.as_str();
    let mut count = 0;
    for section in schema::documentation() {
        let header = format!("\n.SH {}\n", key::header(section.path));
        let (_, after) = rest
            .split_once(&header)
            .unwrap_or_else(|| panic!("{header}"));
        rest = after;
        for key in section.keys {
            let name = format!("\n.TP\n\\fB{}\\fR\n", escape(key.name));
            // The first key of a section without a text follows the header directly.
            let (_, after) = rest
                .split_once(name.trim_start_matches('\n'))
                .unwrap_or_else(|| panic!("{}.{}", section.path, key.name));
            rest = after;
            let (KeyValue::Default(value)
            | KeyValue::Example(value)
            | KeyValue::Alternative(value)
            | KeyValue::Required(value)) = key.value;
            let (this, _) = rest.split_once("\n.TP\n").unwrap_or((rest, ""));
            assert!(
                format!("\n{this}").contains("\nType: "),
                "{}.{}",
                section.path,
                key.name
            );
            assert!(
                this.contains(&escape(value)),
                "{}.{}",
                section.path,
                key.name
            );
            count += 1;
        }
    }
    assert!(count > 80, "{count}");
}

#[test]
fn paragraphs_and_lists_are_separate() {
    let mut page = Roff::new();
    write_paragraphs(&mut page, "One of `a`:\n- `x`: this\n- that\nEnd.", "IP");
    let expect = "One of \\fBa\\fR:\n.RS\n.IP \\(bu 2\n\\fBx\\fR: this\n.IP \\(bu 2\nthat\n.RE\n\
                  .IP\nEnd.\n";
    assert_eq!(page.to_roff(), expect);
}
