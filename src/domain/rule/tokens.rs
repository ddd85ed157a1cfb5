//! The tokens of an expression, with their places in the text. They are read separately from the
//! parser for two reasons: the parser must not be given a text that would overflow its stack, and
//! it reports where a call's bracket opens but not the name of the call or where the call ends.

use std::ops::Range;

use super::diagnostic::RuleDiagnostic;

/// The longest expression, in bytes. Real ones are a line or two.
pub(super) const MAX_EXPRESSION_BYTES: usize = 4 * 1024;

/// The most tokens (names, literals, operators, brackets) of an expression. In the worst case, such
/// as `1+1+1+…`, the parser recurses once per token.
pub(super) const MAX_TOKENS: usize = 500;

/// How deep brackets may nest. Each level costs the parser about ten calls.
pub(super) const MAX_NESTING: usize = 20;

/// All tokens of an expression, in order.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    spans: Vec<Range<usize>>,
    /// For each opening bracket, the index of the token that closes it.
    closing_tokens: Vec<Option<usize>>,
}

impl Tokens {
    /// # Errors
    /// Fails if the text is too long or nests too deep, or if a quoted text or a bracket is not
    /// closed.
    pub(super) fn read(text: &str) -> Result<Self, RuleDiagnostic> {
        if text.len() > MAX_EXPRESSION_BYTES {
            let end = text.len();
            return Err(RuleDiagnostic::new(
                0..end,
                format!("the expression is {end} bytes long"),
                format!("keep it below {MAX_EXPRESSION_BYTES} bytes; split it into two rules"),
            ));
        }
        let mut tokens = Self::default();
        let mut open_brackets: Vec<usize> = Vec::new();
        let mut at = 0;
        while let Some(word) = next_token(text, at)? {
            at = word.end;
            if tokens.spans.len() == MAX_TOKENS {
                return Err(RuleDiagnostic::new(
                    word,
                    format!("the expression has more than {MAX_TOKENS} words"),
                    "split it into two rules, or put a long list into a lookup",
                ));
            }
            tokens.track_bracket(text, &word, &mut open_brackets)?;
            tokens.spans.push(word);
            tokens.closing_tokens.push(None);
        }
        match open_brackets.first() {
            Some(index) => Err(unclosed_diagnostic(text, tokens.span(*index))),
            None => Ok(tokens),
        }
    }

    /// Records which brackets are open. The token `word` has not been added yet.
    fn track_bracket(
        &mut self,
        text: &str,
        word: &Range<usize>,
        open_brackets: &mut Vec<usize>,
    ) -> Result<(), RuleDiagnostic> {
        match &text[word.clone()] {
            "(" | "[" | "{" => {
                if open_brackets.len() == MAX_NESTING {
                    return Err(RuleDiagnostic::new(
                        word.clone(),
                        format!("brackets nest deeper than {MAX_NESTING}"),
                        "split it into two rules",
                    ));
                }
                open_brackets.push(self.spans.len());
                Ok(())
            }
            close @ (")" | "]" | "}") => match open_brackets.pop() {
                Some(index) if closing_bracket(&text[self.span(index)]) == close => {
                    self.closing_tokens[index] = Some(self.spans.len());
                    Ok(())
                }
                Some(index) => Err(unclosed_diagnostic(text, self.span(index))),
                None => Err(RuleDiagnostic::new(
                    word.clone(),
                    format!("`{close}` closes nothing"),
                    "remove it, or open it before",
                )),
            },
            _ => Ok(()),
        }
    }

    pub(super) fn span(&self, index: usize) -> Range<usize> {
        self.spans.get(index).cloned().unwrap_or(0..0)
    }

    /// Returns the index of the last token that starts at or before this byte.
    pub(super) fn index_at_byte(&self, byte: usize) -> usize {
        let following = self.spans.partition_point(|word| word.start <= byte);
        following.saturating_sub(1)
    }

    /// Returns the index of the token that closes the bracket at `index`, or `index` if none does.
    pub(super) fn closing_index(&self, index: usize) -> usize {
        self.closing_tokens
            .get(index)
            .copied()
            .flatten()
            .unwrap_or(index)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Returns where the last token ends.
    pub(super) fn end(&self) -> usize {
        self.spans.last().map_or(0, |word| word.end)
    }
}

fn closing_bracket(open: &str) -> &'static str {
    match open {
        "(" => ")",
        "[" => "]",
        _ => "}",
    }
}

fn unclosed_diagnostic(text: &str, at: Range<usize>) -> RuleDiagnostic {
    let open = &text[at.clone()];
    RuleDiagnostic::new(
        at,
        format!("`{open}` is not closed"),
        format!("add the `{}` that belongs to it", closing_bracket(open)),
    )
}

/// Reads the next token from `at` on.
fn next_token(text: &str, at: usize) -> Result<Option<Range<usize>>, RuleDiagnostic> {
    let mut start = at;
    loop {
        let rest = &text[start..];
        let blank = rest.len()
            - rest
                .trim_start_matches([' ', '\t', '\r', '\n', '\u{c}'])
                .len();
        start += blank;
        if !text[start..].starts_with("//") {
            break;
        }
        start = text[start..]
            .find('\n')
            .map_or(text.len(), |end| start + end);
    }
    let rest = &text[start..];
    let Some(first) = rest.chars().next() else {
        return Ok(None);
    };
    let length = if let Some(quoted_length) = quoted_text_length(rest) {
        quoted_length.ok_or_else(|| {
            RuleDiagnostic::new(
                start..text.len(),
                "this text is not closed",
                format!("add the {} that belongs to it", opening_quote(rest)),
            )
        })?
    } else if first.is_ascii_alphabetic() || first == '_' {
        length_while(rest, |c| c.is_ascii_alphanumeric() || c == '_')
    } else if first.is_ascii_digit() {
        number_length(rest)
    } else if ["==", "!=", "<=", ">=", "&&", "||"]
        .iter()
        .any(|two| rest.starts_with(two))
    {
        2
    } else {
        first.len_utf8()
    };
    Ok(Some(start..start + length))
}

fn length_while(rest: &str, of: impl Fn(char) -> bool) -> usize {
    rest.find(|c| !of(c)).unwrap_or(rest.len())
}

/// Returns the length of a number, with everything that may belong to it: signs only after an
/// exponent.
fn number_length(rest: &str) -> usize {
    let mut previous = ' ';
    let hexadecimal = rest.starts_with("0x");
    let end = rest.find(|c: char| {
        let sign = matches!(c, '+' | '-') && matches!(previous, 'e' | 'E') && !hexadecimal;
        let part = c.is_ascii_alphanumeric() || c == '.' || sign;
        previous = c;
        !part
    });
    end.unwrap_or(rest.len())
}

/// Returns the quotes with which a quoted text begins, after its prefix.
fn opening_quote(rest: &str) -> &'static str {
    let body = rest.trim_start_matches(['r', 'R', 'b', 'B']);
    ["\"\"\"", "'''", "\"", "'"]
        .into_iter()
        .find(|mark| body.starts_with(mark))
        .unwrap_or("\"")
}

/// Returns the length of the quoted text that begins here, if one does; `Some(None)` if it does not
/// end.
fn quoted_text_length(rest: &str) -> Option<Option<usize>> {
    let body = rest.trim_start_matches(['r', 'R', 'b', 'B']);
    let prefix = &rest[..rest.len() - body.len()];
    if prefix.len() > 2 || !body.starts_with(['"', '\'']) {
        return None;
    }
    let raw = prefix.contains(['r', 'R']);
    let mark = opening_quote(rest);
    let mut at = mark.len();
    while let Some(c) = body[at..].chars().next() {
        if body[at..].starts_with(mark) {
            return Some(Some(prefix.len() + at + mark.len()));
        }
        if mark.len() == 1 && matches!(c, '\n' | '\r') {
            return Some(None);
        }
        at += c.len_utf8();
        if c == '\\' && !raw {
            at += body[at..].chars().next().map_or(0, char::len_utf8);
        }
    }
    Some(None)
}
