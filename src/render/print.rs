//! How are manifests written? As YAML that every reader understands alike, or as a JSON List.
//!
//! Readers of YAML 1.1 (`kubectl` is one) take `yes`, `0755` and `1e3` for something else than a
//! text; such texts are quoted. The same manifests always give the same bytes.

use serde_json::{Value, json};
use serde_saphyr::ser_options;

/// How manifests are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// YAML, one document for each.
    #[default]
    Yaml,
    /// One JSON object: a `v1` List.
    Json,
}

/// Writes manifests.
///
/// # Errors
/// The writer's message; no JSON value is known that it cannot write.
pub fn print(manifests: &[Value], format: Format) -> Result<String, String> {
    match format {
        Format::Json => {
            let list = json!({"apiVersion": "v1", "kind": "List", "items": manifests});
            serde_json::to_string_pretty(&list)
                .map(|text| text + "\n")
                .map_err(|why| why.to_string())
        }
        Format::Yaml => {
            let texts: Vec<String> = manifests.iter().map(yaml).collect::<Result<_, _>>()?;
            Ok(texts.join("---\n"))
        }
    }
}

/// One YAML document.
///
/// # Errors
/// As [`print()`].
pub fn yaml(value: &Value) -> Result<String, String> {
    // A folded text is hard to read and gains nothing.
    let options = ser_options! { folded_wrap_chars: usize::MAX };
    serde_saphyr::to_string_with_options(value, options).map_err(|why| why.to_string())
}
