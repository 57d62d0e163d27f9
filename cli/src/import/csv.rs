//! Reads the CSV files of an import: a header, then one record per line, with its line number.
//!
//! Deliberately absent: fields that contain a line break.

use csv::{ReaderBuilder, StringRecord, Trim};

use super::{File, Problems};

/// A record, by the names of its columns.
#[derive(Debug)]
pub(super) struct Record {
    /// Its line in the file, counted from 1.
    pub line: usize,
    header: StringRecord,
    fields: StringRecord,
}

impl Record {
    /// A column's value; empty if the file lacks the column.
    pub fn get(&self, column: &str) -> &str {
        let index = self.header.iter().position(|name| name == column);
        index.and_then(|index| self.fields.get(index)).unwrap_or_default()
    }
}

/// Returns every valid record and reports the others. Columns may be in any order.
pub(super) fn read(
    file: File<'_>,
    required: &[&str],
    optional: &[&str],
    problems: &mut Problems,
) -> Vec<Record> {
    let columns = [required, optional].concat();
    let mut lines = Lines::new(file.text);
    let (_, header) = lines.next().unwrap_or((1, Ok(StringRecord::new())));
    let header = header.unwrap_or_default();
    let has = |column: &&str| header.iter().any(|name| name == *column);
    if !required.iter().all(has) || !header.iter().all(|name| columns.contains(&name)) {
        let columns = columns.join(",");
        problems.add(file.name, 1, format!("the first line must be the header {columns}"));
        return Vec::new();
    }
    let mut records = Vec::new();
    for (line, fields) in lines {
        match fields {
            Ok(fields) if fields.len() == header.len() => {
                records.push(Record { line, header: header.clone(), fields });
            }
            Ok(fields) => {
                let (wanted, found) = (header.len(), fields.len());
                problems.add(file.name, line, format!("{found} fields instead of {wanted}"));
            }
            Err(problem) => problems.add(file.name, line, problem),
        }
    }
    records
}

/// The lines of a text that are not blank, each with its number, split into fields without the
/// spaces around them.
struct Lines<'a> {
    text: &'a str,
    reader: csv::Reader<&'a [u8]>,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str) -> Self {
        let mut builder = ReaderBuilder::new();
        let reader = builder.has_headers(false).flexible(true).trim(Trim::All);
        Self { text, reader: reader.from_reader(text.as_bytes()) }
    }

    /// The reader's position, in bytes of the text.
    fn offset(&self) -> usize {
        usize::try_from(self.reader.position().byte()).unwrap_or(usize::MAX)
    }
}

impl Iterator for Lines<'_> {
    type Item = (usize, Result<StringRecord, &'static str>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (start, line) = (self.offset(), self.reader.position().line());
            let mut fields = StringRecord::new();
            // The text is valid UTF-8 and in memory, so reading it cannot fail.
            if !self.reader.read_record(&mut fields).unwrap_or(false) {
                return None;
            }
            let raw = self.text.get(start..self.offset()).unwrap_or_default();
            let record = raw.trim_start_matches(['\r', '\n']);
            let blank_lines = raw[..raw.len() - record.len()].matches('\n').count();
            let line = usize::try_from(line).unwrap_or(usize::MAX) + blank_lines;
            if record.trim().is_empty() {
                continue;
            }
            return Some((line, check_quotes(record, &fields).map(|()| fields)));
        }
    }
}

/// The reader accepts a quote that is never closed and one after a space, and would take the next
/// lines or the quotes into the field.
fn check_quotes(record: &str, fields: &StringRecord) -> Result<(), &'static str> {
    if record.matches('"').count() % 2 == 1 || record.trim_end().contains('\n') {
        return Err("a quote is not closed");
    }
    if fields.iter().any(|field| field.starts_with('"')) && !record.contains(r#"""""#) {
        return Err("a quoted field must not begin with a space");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Lines;

    fn lines(text: &str) -> Vec<(usize, Option<String>)> {
        let joined = |fields: csv::StringRecord| fields.iter().collect::<Vec<_>>().join("|");
        Lines::new(text).map(|(line, fields)| (line, fields.ok().map(joined))).collect()
    }

    #[test]
    fn a_line_is_split_into_fields() {
        for (line, fields) in [
            ("a,b,c", Some("a|b|c")),
            ("a , ,c", Some("a||c")),
            ("\"a,b\",\"say \"\"x\"\"\"", Some("a,b|say \"x\"")),
            ("\"\"\"x\"\"\",b", Some("\"x\"|b")),
            ("a,\"b", None),
            ("a, \"b\"", None),
        ] {
            assert_eq!(lines(line), [(1, fields.map(str::to_owned))], "{line}");
        }
        assert_eq!(lines(""), []);
    }

    #[test]
    fn a_record_has_the_number_of_its_line() {
        for end in ["\n", "\r\n"] {
            let text = ["\u{feff}a", "", "b", "  ", "c", "\"d", "e\"", "f"].join(end);
            let numbers: Vec<_> = lines(&text).into_iter().map(|(line, _)| line).collect();
            assert_eq!(numbers, [1, 3, 5, 6, 8], "{text:?}");
            assert_eq!(lines(&text)[0].1.as_deref(), Some("a"));
        }
    }
}
