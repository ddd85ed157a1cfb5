//! The section `[import]`: the folder whose files are imported.

use super::diagnostic_collector::DiagnosticCollector;
use super::key::Affects::Operation;
use super::key::KeyValue::Default;
use super::key::{KeyRow, Section};
use super::model::Config;
use super::reader::toml_value::TomlValue;
use super::value_type::{EmptyForNone, FieldAt, FilePath, SpecialType};
use crate::domain::import_columns::ColumnMapping;

/// The most columns that are named.
const MAX_COLUMNS: usize = 50;

pub(super) const SECTION: Section<Config> = Section {
    path: "import",
    doc: "",
    keys: &[&[
        KeyRow {
            name: "folder",
            value: Default("\"\""),
            affects: Operation,
            doc: "A folder whose files (.csv, .tsv, .txt) are imported like those of `maitred credits \
                import`, by the daemon and by `run --once`. A file that has not changed for 5 \
                seconds is imported and moved into the folder done in it; a file with problems is moved \
                into the folder bad, with a report next to it. \"\" turns it off.",
            field: &FieldAt(
                |config: &mut Config| &mut config.import.folder,
                EmptyForNone(FilePath("/var/lib/maitred/import")),
            ),
        },
        KeyRow {
            name: "map",
            value: Default("[]"),
            affects: Operation,
            doc: "What columns of these files hold, for example [\"account=Customer\"], as `--map` of \
                `maitred credits import` says it.",
            field: &FieldAt(
                |config: &mut Config| &mut config.import.columns.mappings,
                SpecialType {
                    description: "a list of texts such as \"account=Customer\"",
                    read: |item, _, report| Some(read_mappings(item, report)),
                    to_json: |mappings: &Vec<ColumnMapping>| {
                        mappings.iter().map(|one| one.to_string()).collect()
                    },
                },
            ),
        },
        KeyRow {
            name: "ignore",
            value: Default("[]"),
            affects: Operation,
            doc: "Columns of these files that are not read, as `--ignore` of `maitred credits import` \
                says it.",
            field: &FieldAt(
                |config: &mut Config| &mut config.import.columns.ignored,
                SpecialType {
                    description: "a list of names",
                    read: |item, _, report| Some(read_names(item, report)),
                    to_json: |names: &Vec<String>| names.clone().into(),
                },
            ),
        },
    ]],
    renamed: &[],
    complete: |_, _, _, _| {},
};

fn read_mappings(list: &TomlValue<'_>, report: &mut DiagnosticCollector<'_>) -> Vec<ColumnMapping> {
    let items = list.list("[\"account=Customer\"]", report);
    let items = list.limit_count(items, MAX_COLUMNS, report);
    let mut mappings = Vec::new();
    for item in &items {
        let Some(text) = item.text("account=Customer", report) else {
            continue;
        };
        match text.parse() {
            Ok(mapping) => mappings.push(mapping),
            Err(why) => {
                let problem = format!("{} does not name a column", report.show(text));
                report.error(&item.path, problem, why);
            }
        }
    }
    mappings
}

fn read_names(list: &TomlValue<'_>, report: &mut DiagnosticCollector<'_>) -> Vec<String> {
    let items = list.list("[\"Total\"]", report);
    let items = list.limit_count(items, MAX_COLUMNS, report);
    let names = items.iter().filter_map(|item| item.text("Total", report));
    names.map(str::to_owned).collect()
}
