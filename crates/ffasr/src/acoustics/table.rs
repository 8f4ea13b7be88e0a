//! Tables on a terminal: text to the left, numbers to the right.

use std::fmt::{self, Display, Formatter};

/// A table with a heading.
pub(crate) struct Table {
    rows: Vec<Vec<Cell>>,
}

/// One entry.
#[derive(Clone)]
pub(crate) struct Cell {
    text: String,
    is_number: bool,
}

impl Cell {
    pub(crate) fn text(text: impl Display) -> Self {
        Self { text: text.to_string(), is_number: false }
    }

    /// A dash where there is none.
    pub(crate) fn number(value: Option<f64>, decimals: usize) -> Self {
        let text = value.map_or_else(|| "–".to_owned(), |value| format!("{value:.decimals$}"));
        Self { text, is_number: true }
    }
}

impl Table {
    pub(crate) fn new(heading: &[&str]) -> Self {
        Self { rows: vec![heading.iter().map(Cell::text).collect()] }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The table in Markdown.
    pub(crate) fn to_markdown(&self) -> String {
        let line = |cells: &[Cell]| {
            let texts: Vec<_> = cells.iter().map(|cell| cell.text.as_str()).collect();
            format!("| {} |\n", texts.join(" | "))
        };
        let rule = self.columns().map(|column| if self.is_number(column) { "---:" } else { "---" });
        let rule = format!("| {} |\n", rule.collect::<Vec<_>>().join(" | "));
        let (heading, rest) = self.rows.split_first().expect("the heading is the first row");
        line(heading) + &rule + &rest.iter().map(|row| line(row)).collect::<String>()
    }

    fn columns(&self) -> std::ops::Range<usize> {
        0..self.rows[0].len()
    }

    /// Whether a column holds numbers, so that its heading stands over them.
    fn is_number(&self, column: usize) -> bool {
        self.rows.iter().skip(1).any(|row| row[column].is_number)
    }
}

impl Display for Table {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let width = |column: usize| self.rows.iter().map(|row| row[column].text.chars().count()).max();
        let widths: Vec<usize> = self.columns().map(|column| width(column).unwrap_or(0)).collect();
        for row in &self.rows {
            let mut line = String::new();
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                let text = &cell.text;
                let padded = if self.is_number(column) {
                    format!("{text:>width$}")
                } else {
                    format!("{text:<width$}")
                };
                line += &padded;
                line += "  ";
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_under_each_other_and_text_begins_at_the_left() {
        let mut table = Table::new(&["room", "T30 s"]);
        table.row([Cell::text("hall"), Cell::number(Some(1.234), 2)]);
        table.row([Cell::text("closet"), Cell::number(None, 2)]);
        assert_eq!(table.to_string(), "room    T30 s\nhall     1.23\ncloset      –\n");
        assert_eq!(
            table.to_markdown(),
            "| room | T30 s |\n| --- | ---: |\n| hall | 1.23 |\n| closet | – |\n"
        );
    }
}
