//! Reading CSV: a header, then one record a line, fields in quotes where they have to be. Deliberately
//! absent: fields that go over several lines.

use super::{File, Problems};

/// A record, by the names of its columns.
#[derive(Debug)]
pub(super) struct Record {
    /// Where it stands in the file, counted from 1.
    pub line: usize,
    fields: Vec<(String, String)>,
}

impl Record {
    /// A column's value, or nothing.
    pub fn get(&self, column: &str) -> &str {
        let field = self.fields.iter().find(|(name, _)| name == column);
        field.map(|(_, value)| value.as_str()).unwrap_or_default()
    }
}

/// Every record that can be read; the rest is a problem. Columns may come in any order.
pub(super) fn read(
    file: File<'_>,
    required: &[&str],
    optional: &[&str],
    problems: &mut Problems,
) -> Vec<Record> {
    let text = file.text.trim_start_matches('\u{feff}');
    let mut lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
    let header = lines.next().and_then(|(_, line)| split(line)).unwrap_or_default();
    let is_known = |name: &String| [required, optional].concat().contains(&name.as_str());
    let has = |name: &&str| header.iter().any(|own| own == name);
    if !required.iter().all(has) || !header.iter().all(is_known) {
        let columns = [required, optional].concat().join(",");
        problems.add(file.name, 1, format!("the first line must be the header {columns}"));
        return Vec::new();
    }
    let mut records = Vec::new();
    for (line, text) in lines.filter(|(_, text)| !text.trim().is_empty()) {
        match split(text) {
            Some(fields) if fields.len() == header.len() => {
                let fields = header.iter().cloned().zip(fields).collect();
                records.push(Record { line, fields });
            }
            Some(fields) => {
                let (wanted, found) = (header.len(), fields.len());
                problems.add(file.name, line, format!("{found} fields, and not {wanted}"));
            }
            None => problems.add(file.name, line, "a quote that is not closed"),
        }
    }
    records
}

/// The fields of a line, without the spaces around them; None, if a quote is not closed.
fn split(line: &str) -> Option<Vec<String>> {
    let mut fields = vec![String::new()];
    let mut is_quoted = false;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        let field = fields.last_mut()?;
        match c {
            '"' if is_quoted && chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => fields.push(String::new()),
            c => field.push(c),
        }
    }
    let trimmed = fields.iter().map(|field| field.trim().to_owned());
    (!is_quoted).then(|| trimmed.collect())
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn a_line_is_split_as_spreadsheets_write_it() {
        let split = |line| split(line).map(|fields| fields.join("|"));
        for (line, fields) in [
            ("a,b,c", Some("a|b|c")),
            ("a , ,c", Some("a||c")),
            ("\"a,b\",\"say \"\"x\"\"\"", Some("a,b|say \"x\"")),
            ("", Some("")),
            ("a,\"b", None),
        ] {
            assert_eq!(split(line).as_deref(), fields, "{line}");
        }
    }
}
