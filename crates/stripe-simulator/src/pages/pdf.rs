//! An invoice as a file: one page of plain text in a PDF, since a link to a file has to lead to one.
//!
//! Nothing more of PDF is here than a page, a font and lines of text.

use std::fmt::Write as _;

use serde_json::Value;

use crate::pages::readable::{amount, day};
use crate::world::text;

/// As many as fit the page.
const MAX_LINES: usize = 48;

pub fn invoice(invoice: &Value) -> Vec<u8> {
    let number = invoice["number"].as_str().unwrap_or_else(|| text(invoice, "id"));
    let mut lines = vec![
        "SIMULATOR: no money moves".to_owned(),
        String::new(),
        format!("Invoice {number}, {}", text(invoice, "status")),
        format!("Of {}", day(invoice["created"].as_i64().unwrap_or_default())),
        format!("For {}", invoice["customer_email"].as_str().unwrap_or_default()),
        String::new(),
    ];
    for line in invoice["lines"]["data"].as_array().map(Vec::as_slice).unwrap_or_default() {
        lines.push(format!("{}   {}", text(line, "description"), amount(line, "amount")));
    }
    lines.push(String::new());
    lines.push(format!("Total {}", amount(invoice, "total")));
    lines.push(format!("Still due {}", amount(invoice, "amount_remaining")));
    lines.truncate(MAX_LINES);
    page(&lines)
}

fn page(lines: &[String]) -> Vec<u8> {
    let mut shown = "BT /F1 11 Tf 15 TL 50 790 Td\n".to_owned();
    for line in lines {
        // Writing to a string cannot fail.
        let _ = writeln!(shown, "({}) Tj T*", escaped(line));
    }
    shown.push_str("ET");
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R \
         /Resources << /Font << /F1 5 0 R >> >> >>"
            .to_owned(),
        format!("<< /Length {} >>\nstream\n{shown}\nendstream", shown.len()),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"
            .to_owned(),
    ];
    let mut file = "%PDF-1.4\n".to_owned();
    let mut starts = String::new();
    for (index, object) in objects.iter().enumerate() {
        let _ = writeln!(starts, "{:010} 00000 n ", file.len());
        let _ = write!(file, "{} 0 obj\n{object}\nendobj\n", index + 1);
    }
    let (table, size) = (file.len(), objects.len() + 1);
    let _ = write!(
        file,
        "xref\n0 {size}\n0000000000 65535 f \n{starts}trailer\n<< /Size {size} /Root 1 0 R >>\n\
         startxref\n{table}\n%%EOF\n"
    );
    file.into_bytes()
}

/// Text as a PDF string: ASCII as it is, of the rest what the font's encoding has.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for letter in text.chars() {
        match letter {
            '(' | ')' | '\\' => escaped.extend(['\\', letter]),
            ' '..='~' => escaped.push(letter),
            '−' | '–' => escaped.push('-'),
            '×' | '\u{a0}'..='ÿ' => {
                let _ = write!(escaped, "\\{:03o}", u32::from(letter));
            }
            _ => escaped.push('?'),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_invoice_is_a_pdf_whose_table_points_at_its_objects() {
        let line = json!({ "description": "2 × Pro (at $9 / month) é 🎉", "amount": 1_800, "currency": "usd" });
        let object = json!({
            "id": "in_1", "number": "ABC-0001", "status": "paid", "created": 0, "currency": "usd",
            "customer_email": "ada@example.com", "total": 1_800, "amount_remaining": 0,
            "lines": { "data": [line] },
        });
        let file = String::from_utf8(invoice(&object)).unwrap();
        assert!(file.starts_with("%PDF-1.4\n") && file.ends_with("%%EOF\n"));
        assert!(file.contains(r"(2 \327 Pro \(at $9 / month\) \351 ?   USD 18.00) Tj"), "{file}");
        let starts = file.lines().filter(|line| line.ends_with(" 00000 n "));
        for (index, start) in starts.enumerate() {
            let start: usize = start[..10].parse().unwrap();
            assert!(file[start..].starts_with(&format!("{} 0 obj\n", index + 1)));
        }
        let table: usize = file.lines().rev().nth(1).unwrap().parse().unwrap();
        assert!(file[table..].starts_with("xref\n"));
    }
}
