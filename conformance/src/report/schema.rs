//! The published JSON Schema of `report.json`.

use super::{Report, VERSION};
use schemars::generate::SchemaSettings;
use serde_json::json;

/// The JSON Schema (draft 2020-12) of reports of [`VERSION`], with a newline at its end.
///
/// Fields may be added within a version, so it allows those it does not know.
pub(crate) fn schema() -> String {
    let mut schema = SchemaSettings::draft2020_12()
        .into_generator()
        .into_root_schema_for::<Report>();
    schema.insert(
        "title".into(),
        json!(format!("ftpspec report, version {VERSION}")),
    );
    let mut text = serde_json::to_string_pretty(&schema).expect("a schema is JSON");
    text.push('\n');
    text
}
