//! Reads a table published elsewhere from CSV, in the columns of the public FFASR board.

use std::{collections::BTreeMap, io::Read};

use csv::StringRecord;
use store::external::ExternalRow;

/// Column of the public board → our track.
const TRACKS: [(&str, &str); 4] =
    [("Near Field Speech", "near"), ("High SNR", "far-high"), ("Mid SNR", "far-mid"), ("Low SNR", "far-low")];
const MODEL: &str = "Model";
const AVERAGE: &str = "Avg WER (%)";
const SPEED: &str = "RTFx";
const PARAMETERS: &str = "Params (B)";

/// What is wrong with the file, and where.
#[derive(Debug, thiserror::Error, PartialEq)]
pub(crate) enum TableError {
    #[error("the column \u{201c}{0}\u{201d} is missing; the head has {1}")]
    MissingColumn(&'static str, String),
    #[error("line {line}, column \u{201c}{column}\u{201d}: {problem}")]
    Cell { line: u64, column: &'static str, problem: String },
    #[error("line {line}: the model \u{201c}{model}\u{201d} stands there a second time")]
    Twice { line: u64, model: String },
    #[error("there is no row below the head")]
    Empty,
    #[error("this is not CSV: {0}")]
    Csv(String),
}

/// Reads the whole table or says what is wrong. WER in percent, RTFx as a number, parameters in billions; `NA` and
/// empty cells are missing values where the board has them (speed and parameters).
pub(crate) fn read(input: impl Read) -> Result<Vec<ExternalRow>, TableError> {
    let mut reader = csv::Reader::from_reader(input);
    let head = reader.headers().map_err(|error| TableError::Csv(error.to_string()))?.clone();
    let find = |name: &'static str| {
        head.iter()
            .position(|column| column.trim() == name)
            .ok_or_else(|| TableError::MissingColumn(name, head.iter().collect::<Vec<_>>().join(", ")))
    };
    let (model, average, speed, parameters) = (find(MODEL)?, find(AVERAGE)?, find(SPEED)?, find(PARAMETERS)?);
    let mut tracks = Vec::with_capacity(TRACKS.len());
    for (column, track) in TRACKS {
        tracks.push((find(column)?, column, track));
    }
    let mut rows: Vec<ExternalRow> = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| TableError::Csv(error.to_string()))?;
        let line = Line { number: record.position().map_or(0, csv::Position::line), record: &record };
        let name = line.text(model, MODEL)?;
        if rows.iter().any(|row| row.model == name) {
            return Err(TableError::Twice { line: line.number, model: name });
        }
        let mut by_track = BTreeMap::new();
        for (index, column, track) in &tracks {
            by_track.insert((*track).to_owned(), line.percent(*index, column)?);
        }
        rows.push(ExternalRow {
            model: name,
            avg_wer: line.percent(average, AVERAGE)?,
            tracks: by_track,
            rtfx: line.positive(speed, SPEED)?,
            num_params: line.positive(parameters, PARAMETERS)?.map(|billions| billions * 1e9),
        });
    }
    if rows.is_empty() { Err(TableError::Empty) } else { Ok(rows) }
}

struct Line<'a> {
    number: u64,
    record: &'a StringRecord,
}

impl Line<'_> {
    fn cell(&self, index: usize) -> &str {
        self.record.get(index).unwrap_or_default().trim()
    }

    fn fault(&self, column: &'static str, problem: impl Into<String>) -> TableError {
        TableError::Cell { line: self.number, column, problem: problem.into() }
    }

    fn text(&self, index: usize, column: &'static str) -> Result<String, TableError> {
        match self.cell(index) {
            "" => Err(self.fault(column, "the cell is empty")),
            text if text.chars().count() > 200 => {
                Err(self.fault(column, "the name has more than 200 characters"))
            }
            text => Ok(text.to_owned()),
        }
    }

    fn number(&self, index: usize, column: &'static str) -> Result<f64, TableError> {
        let text = self.cell(index);
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(number),
            _ => Err(self.fault(column, format!("\u{201c}{text}\u{201d} is not a number"))),
        }
    }

    /// A rate in percent; above 100 is legal, below 0 is not.
    fn percent(&self, index: usize, column: &'static str) -> Result<f64, TableError> {
        let percent = self.number(index, column)?;
        if percent < 0.0 {
            return Err(self.fault(column, format!("{percent} is below zero")));
        }
        Ok(percent / 100.0)
    }

    fn positive(&self, index: usize, column: &'static str) -> Result<Option<f64>, TableError> {
        if matches!(self.cell(index), "" | "NA") {
            return Ok(None);
        }
        let number = self.number(index, column)?;
        if number > 0.0 {
            Ok(Some(number))
        } else {
            Err(self.fault(column, format!("{number} is not above zero")))
        }
    }
}

/// An address from a label: lower-case letters, digits and single hyphens.
pub(crate) fn slug(label: &str) -> String {
    let mut slug = String::new();
    for character in label.chars().flat_map(char::to_lowercase) {
        if character.is_ascii_alphanumeric() {
            slug.push(character);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() { "board".to_owned() } else { slug.to_owned() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEAD: &str = "Model,Avg WER (%),Near Field Speech,High SNR,Mid SNR,Low SNR,RTFx,Params (B)\n";

    fn parse(rows: &str) -> Result<Vec<ExternalRow>, TableError> {
        read(format!("{HEAD}{rows}").as_bytes())
    }

    #[test]
    fn a_row_is_read_as_published() {
        let rows = parse("org/model,72.32,11.31,52.94,87.58,137.45,28.6912,0.039\n").unwrap();
        assert_eq!(rows.len(), 1);
        assert!((rows[0].avg_wer - 0.7232).abs() < 1e-12);
        assert!((rows[0].tracks["far-low"] - 1.3745).abs() < 1e-12, "above 100 % is legal");
        assert!((rows[0].num_params.unwrap() - 39e6).abs() < 1.0);
    }

    #[test]
    fn a_missing_parameter_count_is_no_fault() {
        assert_eq!(parse("m,1,1,1,1,1,2,NA\n").unwrap()[0].num_params, None);
    }

    #[test]
    fn a_bad_number_is_named_with_line_and_column() {
        let error = parse("m,1,1,1,1,1,2,1\nn,1,1,x7,1,1,2,1\n").unwrap_err();
        assert_eq!(
            error.to_string(),
            "line 3, column \u{201c}High SNR\u{201d}: \u{201c}x7\u{201d} is not a number"
        );
        for bad in [
            "m,NaN,1,1,1,1,2,1",
            "m,inf,1,1,1,1,2,1",
            "m,-1,1,1,1,1,2,1",
            "m,1,1,1,1,1,0,1",
            ",1,1,1,1,1,2,1",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_missing_column_a_short_row_a_repeated_model_and_an_empty_table_are_refused() {
        assert!(matches!(read("Model,RTFx\n".as_bytes()), Err(TableError::MissingColumn(AVERAGE, _))));
        assert!(matches!(parse("m,1,1\n"), Err(TableError::Csv(_))));
        assert!(matches!(
            parse("m,1,1,1,1,1,2,1\nm,1,1,1,1,1,2,1\n"),
            Err(TableError::Twice { line: 3, .. })
        ));
        assert_eq!(parse(""), Err(TableError::Empty));
    }

    #[test]
    fn a_label_becomes_an_address() {
        assert_eq!(slug("FFASR, July 2026 (published)"), "ffasr-july-2026-published");
        assert_eq!(slug("…"), "board");
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = read(bytes.as_slice());
            let _ = parse(&String::from_utf8_lossy(&bytes));
        }
    }
}
