//! Parses a text into the syntax tree of the `cel` crate, and finds the place of a node in the
//! text.

use std::ops::Range;

use cel::common::ast::{Expr, IdedExpr, SourceInfo, operators};
use cel::parser::{ParseError, Parser};

use super::diagnostic::RuleDiagnostic;
use super::tokens::Tokens;

/// A parsed text: its syntax tree, and the places of the nodes.
pub(super) struct ParsedExpression {
    pub(super) root: IdedExpr,
    pub(super) spans: NodeSpans,
}

/// The places of nodes in the text.
pub(super) struct NodeSpans {
    tokens: Tokens,
    offsets: SourceInfo,
}

/// # Errors
/// Returns the first mistake. Those after it are usually consequences.
pub(super) fn parse(text: &str) -> Result<ParsedExpression, RuleDiagnostic> {
    let tokens = Tokens::read(text)?;
    if tokens.is_empty() {
        return Err(RuleDiagnostic::new(
            0..0,
            "there is no expression",
            "write a condition such as member.tier == \"gold\"",
        ));
    }
    match Parser::new().parse_with_source_info(text) {
        Ok((root, offsets)) => Ok(ParsedExpression {
            root,
            spans: NodeSpans { tokens, offsets },
        }),
        Err(errors) => Err(errors.errors.first().map_or_else(
            || unexpected_token(text, &tokens, 0),
            |error| translate_error(text, &tokens, error),
        )),
    }
}

/// Translates a parser error for people, because the parser's own messages use the words of its
/// generator.
fn translate_error(text: &str, tokens: &Tokens, error: &ParseError) -> RuleDiagnostic {
    let byte = byte_offset(text, error.pos);
    let at = tokens.span(tokens.index_at_byte(byte));
    let message = error.msg.as_str();
    if message.starts_with("reserved identifier") {
        let word = &text[at.clone()];
        return RuleDiagnostic::new(
            at,
            format!("`{word}` is a reserved word"),
            "use another name",
        );
    }
    if message.contains("literal") {
        return RuleDiagnostic::new(
            at,
            "this is not a number that can be counted with",
            "whole numbers go up to 9223372036854775807",
        );
    }
    if message.contains("has() macro") {
        return RuleDiagnostic::new(
            at,
            "has() asks whether a map has a key",
            "write has(map.key), such as has(booking.answers.topic)",
        );
    }
    if message.contains("simple name") {
        return RuleDiagnostic::new(
            at,
            "the first thing in these brackets must be a new name",
            "write it as in member.tags.exists(tag, tag == \"vip\")",
        );
    }
    unexpected_token(text, tokens, byte)
}

/// Describes the token at which the parser stopped.
fn unexpected_token(text: &str, tokens: &Tokens, byte: usize) -> RuleDiagnostic {
    if byte >= tokens.end() {
        let end = tokens.end();
        return RuleDiagnostic::new(
            end..end,
            "the expression ends too early",
            "something is missing behind its last word",
        );
    }
    let at = tokens.span(tokens.index_at_byte(byte));
    let word = &text[at.clone()];
    let help = match word {
        "=" => "write == to compare",
        "&" | "and" | "AND" => "write && for and",
        "|" | "or" | "OR" => "write || for or",
        "not" | "NOT" => "write ! for not",
        "?" => "optional access is not supported: ask with has(map.key) first",
        "`" => "write map[\"key\"] for a key that is not a plain name",
        _ if word.starts_with(['"', '\'']) => {
            "write \\\\ for a backslash in a text, or put an r before it: r\"\\d+\""
        }
        _ => "expected is a condition such as member.balance > 2 && booking.hour >= 9",
    };
    let excerpt: String = word.chars().take(40).collect();
    RuleDiagnostic::new(at, format!("`{excerpt}` is not understood here"), help)
}

/// Converts a line and a column, both counted from 1, in characters, into a byte offset.
fn byte_offset(text: &str, (line, column): (isize, isize)) -> usize {
    let line = usize::try_from(line - 1).unwrap_or(0);
    let column = usize::try_from(column - 1).unwrap_or(0);
    let before: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let rest = &text[before..];
    let within = rest
        .char_indices()
        .nth(column)
        .map_or(rest.len(), |(at, _)| at);
    before + within
}

impl NodeSpans {
    /// Returns the index of the token by which the parser locates a node: an operator, an opening
    /// bracket, a name.
    fn token_index(&self, node: &IdedExpr) -> usize {
        let start = self
            .offsets
            .offset_for(node.id)
            .map_or(0, |(start, _)| start);
        self.tokens
            .index_at_byte(usize::try_from(start).unwrap_or(usize::MAX))
    }

    /// Returns the place of an operator, without its operands.
    pub(super) fn operator_span(&self, node: &IdedExpr) -> Range<usize> {
        self.tokens.span(self.token_index(node))
    }

    /// Returns the place of the name of a call or macro.
    pub(super) fn name_span(&self, node: &IdedExpr) -> Range<usize> {
        self.tokens.span(self.token_index(node).saturating_sub(1))
    }

    /// Returns the place of the field of a selection.
    pub(super) fn field_span(&self, node: &IdedExpr) -> Range<usize> {
        self.tokens.span(self.token_index(node) + 1)
    }

    /// Returns the place of the field `b` in `has(a.b)`.
    pub(super) fn tested_field_span(&self, node: &IdedExpr) -> Range<usize> {
        let closing = self.tokens.closing_index(self.token_index(node));
        self.tokens.span(closing.saturating_sub(1))
    }

    /// Returns the place of the name of a macro's variable.
    pub(super) fn variable_span(&self, node: &IdedExpr) -> Range<usize> {
        self.tokens.span(self.token_index(node) + 1)
    }

    /// Returns the place of the whole node, without brackets around it.
    pub(super) fn span(&self, node: &IdedExpr) -> Range<usize> {
        let word = self.token_index(node);
        let own_span = self.tokens.span(word);
        let closing_end = || self.tokens.span(self.tokens.closing_index(word)).end;
        match &node.expr {
            Expr::Call(call) => match (&call.target, call.args.as_slice()) {
                (Some(target), _) => self.span(target).start..closing_end(),
                (None, [first, .., last]) if is_infix(&call.func_name) => {
                    self.span(first).start..self.span(last).end
                }
                (None, [first, _]) if call.func_name == operators::INDEX => {
                    self.span(first).start..closing_end()
                }
                (None, [only]) if is_prefix(&call.func_name) => own_span.start..self.span(only).end,
                (None, _) => self.name_span(node).start..closing_end(),
            },
            Expr::Comprehension(of) => self.span(&of.iter_range).start..closing_end(),
            Expr::List(_) | Expr::Map(_) => own_span.start..closing_end(),
            Expr::Select(select) if select.test => self.name_span(node).start..closing_end(),
            Expr::Select(select) => self.span(&select.operand).start..self.field_span(node).end,
            Expr::Struct(_) => self.name_span(node).start..closing_end(),
            Expr::Ident(name) if name.starts_with('.') => self.name_span(node).start..own_span.end,
            Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => own_span,
        }
    }
}

fn is_infix(function: &str) -> bool {
    let infix = function.starts_with('_') && function != operators::INDEX;
    infix || function == operators::IN
}

fn is_prefix(function: &str) -> bool {
    function == operators::LOGICAL_NOT || function == operators::NEGATE
}
