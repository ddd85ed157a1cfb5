//! From the reference's syntax tree to our own, for expressions that are made of nothing else.

use cel::common::ast::{CallExpr, Expr, IdedExpr, ListExpr, LiteralValue, operators};

use super::interpret;
use super::pattern::Pattern;
use super::schema;
use super::tree::{Node, Operator, Order, Part};
use super::types::{Kind, Type};
use super::value::Literal;

/// The tree of an expression that was checked; `None` when it needs the reference: macros, maps,
/// conversions, the parts of a timestamp, and all that makes new texts or lists.
pub(super) fn lower(node: &IdedExpr) -> Option<Node> {
    if let Some(name) = interpret::named(node) {
        return Some(Node::Field(name.field));
    }
    match &node.expr {
        Expr::Literal(of) => literal(of).map(Node::Literal),
        Expr::List(of) => list(of),
        Expr::Select(select) => {
            let of = Box::new(lower(&select.operand)?);
            let key = select.field.as_str().into();
            Some(if select.test {
                Node::Has(of, key)
            } else {
                Node::Select(of, key)
            })
        }
        Expr::Call(of) => call(node, of),
        Expr::Comprehension(_)
        | Expr::Ident(_)
        | Expr::Map(_)
        | Expr::Struct(_)
        | Expr::Unspecified => None,
    }
}

fn literal(of: &LiteralValue) -> Option<Literal> {
    match of {
        LiteralValue::Null => Some(Literal::Null),
        LiteralValue::Boolean(of) => Some(Literal::Bool(*of.inner())),
        LiteralValue::Int(of) => Some(Literal::Int(*of.inner())),
        LiteralValue::Double(of) => Some(Literal::Double(*of.inner())),
        LiteralValue::String(of) => Some(Literal::Text(of.inner().into())),
        LiteralValue::Bytes(_) | LiteralValue::UInt(_) => None,
    }
}

/// A list of literals only.
fn list(of: &ListExpr) -> Option<Node> {
    let elements = of.elements.iter().map(|element| match lower(element)? {
        Node::Literal(literal) => Some(literal),
        _ => None,
    });
    let elements: Option<Vec<Literal>> = elements.collect();
    elements.map(|elements| Node::List(elements.into()))
}

fn call(node: &IdedExpr, of: &CallExpr) -> Option<Node> {
    let arguments: Vec<&IdedExpr> = of.target.as_deref().into_iter().chain(&of.args).collect();
    match (of.func_name.as_str(), arguments.as_slice()) {
        (operators::CONDITIONAL, [condition, yes, no]) => Some(Node::If(Box::new([
            lower(condition)?,
            lower(yes)?,
            lower(no)?,
        ]))),
        (operators::LOGICAL_NOT, [only]) => lower(only).map(Box::new).map(Node::Not),
        (operators::NEGATE, [only]) => lower(only).map(Box::new).map(Node::Negate),
        ("size", [only]) => lower(only).map(Box::new).map(Node::Size),
        ("duration" | "timestamp", [argument]) => match &argument.expr {
            Expr::Literal(_) => interpret::constant(node).map(Node::Literal),
            _ => None,
        },
        ("matches", [text, pattern]) => match &pattern.expr {
            Expr::Literal(LiteralValue::String(pattern)) => {
                let pattern = Pattern::compile(pattern.inner()).ok()?;
                Some(Node::Matches(Box::new(lower(text)?), pattern))
            }
            _ => None,
        },
        (name, [left, right]) => two(name, lower(left)?, lower(right)?),
        (_, _) => None,
    }
}

fn two(name: &str, left: Node, right: Node) -> Option<Node> {
    let new_text = may_be_text(&left) && may_be_text(&right);
    let pair = Box::new([left, right]);
    Some(match name {
        operators::LOGICAL_AND => Node::And(pair),
        operators::LOGICAL_OR => Node::Or(pair),
        operators::EQUALS => Node::Equal(pair),
        operators::NOT_EQUALS => Node::Differ(pair),
        operators::LESS => Node::Order(Order::Less, pair),
        operators::LESS_EQUALS => Node::Order(Order::LessOrEqual, pair),
        operators::GREATER => Node::Order(Order::Greater, pair),
        operators::GREATER_EQUALS => Node::Order(Order::GreaterOrEqual, pair),
        operators::IN => Node::In(pair),
        operators::INDEX => Node::Index(pair),
        operators::ADD if new_text => return None,
        operators::ADD => Node::Arithmetic(Operator::Add, pair),
        operators::SUBSTRACT => Node::Arithmetic(Operator::Subtract, pair),
        operators::MULTIPLY => Node::Arithmetic(Operator::Multiply, pair),
        operators::DIVIDE => Node::Arithmetic(Operator::Divide, pair),
        operators::MODULO => Node::Arithmetic(Operator::Remainder, pair),
        "startsWith" => Node::Part(Part::Starts, pair),
        "endsWith" => Node::Part(Part::Ends, pair),
        "contains" => Node::Part(Part::Contains, pair),
        _ => return None,
    })
}

/// Whether `+` on this could make a new text or list.
fn may_be_text(node: &Node) -> bool {
    match node {
        Node::Literal(of) => matches!(of, Literal::Text(_)),
        Node::Field(field) => {
            let of = schema::NAMES
                .iter()
                .find(|name| name.field == *field)
                .map(|name| name.of);
            !matches!(
                of,
                Some(Type::One(
                    Kind::Bool | Kind::Int | Kind::Duration | Kind::Time
                ))
            )
        }
        Node::List(_) | Node::Select(..) | Node::Index(_) | Node::If(_) => true,
        Node::Has(..)
        | Node::Not(_)
        | Node::And(_)
        | Node::Or(_)
        | Node::Equal(_)
        | Node::Differ(_)
        | Node::Order(..)
        | Node::In(_)
        | Node::Negate(_)
        | Node::Arithmetic(..)
        | Node::Size(_)
        | Node::Part(..)
        | Node::Matches(..) => false,
    }
}
