use crate::domain::{
    account::Account,
    booking::{Answer, Booking},
    decision::Credits,
    time::Time,
};
use std::collections::BTreeMap;
#[derive(Debug, Clone, Copy, Default)]
pub struct Counts {
    pub upcoming: u32,
    pub day: u32,
    pub week: u32,
    pub month: u32,
}
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    pub booking: &'a Booking,
    pub occurrences: usize,
    pub account: Option<&'a Account>,
    pub counts: Counts,
    pub gate: &'a str,
    pub cost: Credits,
    pub credits: Credits,
    pub available: Credits,
    pub to_hold: Credits,
    pub lookups: &'a BTreeMap<String, Answer>,
    pub zone: chrono_tz::Tz,
    pub now: Time,
}
#[derive(Debug, Clone, PartialEq)]
pub struct Expression(String);
#[derive(Debug, Clone)]
pub struct Inputs(String);
impl std::fmt::Display for Inputs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
impl Expression {
    pub fn lookups(&self) -> impl Iterator<Item = &str> {
        std::iter::empty()
    }
    pub fn holds(&self, _: &Scope<'_>) -> Result<bool, String> {
        Ok(true)
    }
    pub fn inputs(&self, _: &Scope<'_>) -> Inputs {
        Inputs(String::new())
    }
}
#[derive(Debug, Clone, PartialEq)]
pub struct Template(String);
impl Template {
    pub fn render(&self, _: &Scope<'_>) -> Result<String, String> {
        Ok(String::new())
    }
}
#[derive(Debug, Clone, PartialEq)]
pub struct Words {
    pub by_language: Vec<(String, Template)>,
}
impl Words {
    pub fn pick(&self, _: Option<&str>) -> &Template {
        &self.by_language[0].1
    }
}
