//! Compares what a command printed with what a page shows. Numbers, dates and hashes count as
//! equal, because they differ from run to run. Only the hash of a policy is compared: it is the same
//! in every run, and on every page that shows the same configuration.

/// Marks lines that a page leaves out of an output.
pub const LEFT_OUT: &str = "[…]";

/// Returns the lines with every digit and hash replaced, except the hashes of policies, and without
/// blank lines.
fn normalize(text: &str) -> Vec<String> {
    let line = |line: &str| {
        let mut previous = "";
        let words = line.split(' ').map(|word| {
            let bare = word.trim_matches(|c: char| c.is_ascii_punctuation());
            let hash = bare.len() >= 16 && bare.chars().all(|c| c.is_ascii_hexdigit());
            let of_policy = previous == "policy";
            if !bare.is_empty() {
                previous = bare;
            }
            if hash && of_policy {
                return word.to_owned();
            }
            if hash {
                return "#".to_owned();
            }
            word.chars()
                .map(|c| if c.is_ascii_digit() { '0' } else { c })
                .collect()
        });
        let line = words.collect::<Vec<String>>().join(" ");
        line.trim_end().to_owned()
    };
    text.lines().map(line).filter(|l| !l.is_empty()).collect()
}

/// Checks that the shown lines were printed in this order. Between two shown lines nothing else may
/// be printed, except where the page shows [`LEFT_OUT`].
pub fn compare(printed: &str, shown: &[String]) -> Result<(), String> {
    let printed = normalize(printed);
    let mut at = 0;
    let mut skipping = true;
    for line in shown {
        if line.trim() == LEFT_OUT {
            skipping = true;
            continue;
        }
        let Some(line) = normalize(line).pop() else {
            continue;
        };
        let found = if skipping {
            printed[at..].iter().position(|other| *other == line)
        } else {
            (printed.get(at) == Some(&line)).then_some(0)
        };
        match found {
            Some(ahead) => at += ahead + 1,
            None => return Err(format!("{line:?} is not printed where the page shows it")),
        }
        skipping = false;
    }
    Ok(())
}
