//! Reading a file.

use std::panic::catch_unwind;

use parquet::{
    file::reader::{FileReader, SerializedFileReader},
    record::{Field, Row},
};

use crate::{ItemResult, ItemResults, ItemResultsError};

/// Reads a file. Columns that it does not know are left out, so that files of later versions can be read.
///
/// # Errors
/// When the bytes are no Parquet file, or a row lacks what every row has.
pub fn read(bytes: Vec<u8>) -> Result<ItemResults, ItemResultsError> {
    // The library takes damaged places and pages at their word, and panics over them (found by fuzzing).
    catch_unwind(move || read_rows(bytes)).unwrap_or(Err(ItemResultsError::Damaged))
}

fn read_rows(bytes: Vec<u8>) -> Result<ItemResults, ItemResultsError> {
    let reader = SerializedFileReader::new(bytes::Bytes::from(bytes))?;
    let about = reader.metadata().file_metadata().key_value_metadata();
    let about =
        about.into_iter().flatten().filter_map(|entry| Some((entry.key.clone(), entry.value.clone()?)));
    let about = about.collect();
    let mut items = Vec::new();
    for row in reader.get_row_iter(None)? {
        let item = item(&row?).map_err(|problem| ItemResultsError::Row { row: items.len() + 1, problem })?;
        items.push(item);
    }
    Ok(ItemResults { about, items })
}

fn item(row: &Row) -> Result<ItemResult, String> {
    let values = Values(row);
    let count = |name| match values.integer(name)? {
        Some(count @ 0..) => Ok(count),
        Some(count) => Err(format!("{name} is {count}")),
        None => Err(format!("{name} is missing")),
    };
    let seconds = |name| match values.real(name)? {
        Some(seconds) if seconds >= 0.0 && seconds.is_finite() => Ok(seconds),
        Some(seconds) => Err(format!("{name} is {seconds}")),
        None => Err(format!("{name} is missing")),
    };
    Ok(ItemResult {
        item: count("item")?,
        utterance: count("utterance")?,
        talker: count("talker")?,
        track: values.text("track")?.ok_or("track is missing")?,
        room: values.text("room")?,
        audio_s: seconds("audio_s")?,
        processing_s: seconds("processing_s")?,
        failed: values.flag("failed")?,
        hits: count("hits")?,
        substitutions: count("substitutions")?,
        deletions: count("deletions")?,
        insertions: count("insertions")?,
        ref_chars: values.integer("ref_chars")?,
        char_errors: values.integer("char_errors")?,
        path: values.text("path")?,
        faults: values.text("faults")?,
        snr_db: values.real("snr_db")?,
        distance_m: values.real("distance_m")?,
        t30_s: values.real("t30_s")?,
        edt_s: values.real("edt_s")?,
        c50_db: values.real("c50_db")?,
        drr_db: values.real("drr_db")?,
        noise: values.text("noise")?,
    })
}

/// The values of a row by the names of their columns. A column that is not there is null.
struct Values<'a>(&'a Row);

impl Values<'_> {
    fn field(&self, name: &str) -> &Field {
        self.0.get_column_iter().find(|(column, _)| *column == name).map_or(&Field::Null, |(_, field)| field)
    }

    fn integer(&self, name: &str) -> Result<Option<i32>, String> {
        match self.field(name) {
            Field::Int(value) => Ok(Some(*value)),
            Field::Null => Ok(None),
            _ => Err(format!("{name} is no 32-bit integer")),
        }
    }

    fn real(&self, name: &str) -> Result<Option<f64>, String> {
        match self.field(name) {
            Field::Double(value) => Ok(Some(*value)),
            Field::Null => Ok(None),
            _ => Err(format!("{name} is no double")),
        }
    }

    fn text(&self, name: &str) -> Result<Option<String>, String> {
        match self.field(name) {
            Field::Str(value) => Ok(Some(value.clone())),
            Field::Null => Ok(None),
            _ => Err(format!("{name} is no text")),
        }
    }

    fn flag(&self, name: &str) -> Result<bool, String> {
        match self.field(name) {
            Field::Bool(value) => Ok(*value),
            _ => Err(format!("{name} is no boolean")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_file_is_refused_wherever_the_damage_is() {
        let items = vec![ItemResult { item: 1, track: "near".to_owned(), ..ItemResult::default() }];
        let whole = crate::write(&ItemResults { items, ..ItemResults::default() }).unwrap();
        assert!(read(whole.clone()).is_ok());
        // Not every bit is checked by a sum, but no file ends the process.
        for place in 0..whole.len() {
            for bit in [0x01, 0x40, 0x80] {
                let mut damaged = whole.clone();
                damaged[place] ^= bit;
                let _ = read(damaged);
            }
            assert!(read(whole[..place].to_vec()).is_err(), "cut after {place} bytes");
        }
    }
}
