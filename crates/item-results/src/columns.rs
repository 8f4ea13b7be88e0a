//! The columns of a file, in one list from which the schema, the writer and the reader follow.

use crate::ItemResult;

/// A value of one row; `None` is null.
pub(crate) enum Get {
    Integer(fn(&ItemResult) -> Option<i32>),
    Real(fn(&ItemResult) -> Option<f64>),
    Text(fn(&ItemResult) -> Option<&str>),
    Flag(fn(&ItemResult) -> bool),
}

/// One column.
pub(crate) struct Column {
    pub(crate) name: &'static str,
    /// Every row has a value.
    pub(crate) required: bool,
    pub(crate) get: Get,
}

const fn required(name: &'static str, get: Get) -> Column {
    Column { name, required: true, get }
}

const fn optional(name: &'static str, get: Get) -> Column {
    Column { name, required: false, get }
}

pub(crate) const COLUMNS: [Column; 23] = [
    required("item", Get::Integer(|row| Some(row.item))),
    required("utterance", Get::Integer(|row| Some(row.utterance))),
    required("talker", Get::Integer(|row| Some(row.talker))),
    required("track", Get::Text(|row| Some(&row.track))),
    optional("room", Get::Text(|row| row.room.as_deref())),
    required("audio_s", Get::Real(|row| Some(row.audio_s))),
    required("processing_s", Get::Real(|row| Some(row.processing_s))),
    required("failed", Get::Flag(|row| row.failed)),
    required("hits", Get::Integer(|row| Some(row.hits))),
    required("substitutions", Get::Integer(|row| Some(row.substitutions))),
    required("deletions", Get::Integer(|row| Some(row.deletions))),
    required("insertions", Get::Integer(|row| Some(row.insertions))),
    optional("ref_chars", Get::Integer(|row| row.ref_chars)),
    optional("char_errors", Get::Integer(|row| row.char_errors)),
    optional("path", Get::Text(|row| row.path.as_deref())),
    optional("faults", Get::Text(|row| row.faults.as_deref())),
    optional("snr_db", Get::Real(|row| row.snr_db)),
    optional("distance_m", Get::Real(|row| row.distance_m)),
    optional("t30_s", Get::Real(|row| row.t30_s)),
    optional("edt_s", Get::Real(|row| row.edt_s)),
    optional("c50_db", Get::Real(|row| row.c50_db)),
    optional("drr_db", Get::Real(|row| row.drr_db)),
    optional("noise", Get::Text(|row| row.noise.as_deref())),
];

/// Names of all columns, in their order.
pub fn column_names() -> Vec<&'static str> {
    COLUMNS.iter().map(|column| column.name).collect()
}
