//! The header of a safetensors file: how many parameters it holds, and whether it can be true.
//!
//! Format: eight bytes with the length of the header (little endian), the header as JSON, then the data; the header maps
//! each tensor to its type, shape and place in the data (github.com/huggingface/safetensors, README).

use std::collections::BTreeMap;

use serde::Deserialize;

/// Longest header that is read: real ones hold a few hundred bytes a tensor.
pub(crate) const LONGEST_HEADER: usize = 16 << 20;

#[derive(Deserialize)]
struct Tensor {
    shape: Vec<u64>,
    data_offsets: [u64; 2],
}

/// Whether the whole header is in `head`.
pub(crate) fn holds_header(head: &[u8]) -> bool {
    head.first_chunk().is_some_and(|bytes| u64::from_le_bytes(*bytes).saturating_add(8) <= head.len() as u64)
}

/// Number of parameters of a safetensors file of `file_bytes` bytes that begins with `head`.
///
/// # Errors
/// One sentence says what is wrong with the file.
pub(crate) fn parameters(head: &[u8], file_bytes: u64) -> Result<u64, &'static str> {
    let length =
        head.first_chunk().map(|bytes| u64::from_le_bytes(*bytes)).ok_or("The file ends in its header.")?;
    let data = file_bytes.checked_sub(8).and_then(|rest| rest.checked_sub(length));
    let Some(data) = data else { return Err("The header is longer than the file.") };
    if length > LONGEST_HEADER as u64 {
        return Err("The header is longer than 16 MiB.");
    }
    let header = head.get(8..8 + length as usize).ok_or("The file ends in its header.")?;
    let mut header: BTreeMap<String, serde_json::Value> =
        serde_json::from_slice(header).map_err(|_| "The header is not JSON.")?;
    header.remove("__metadata__");
    let mut parameters = 0_u64;
    for tensor in header.into_values() {
        let tensor: Tensor = serde_json::from_value(tensor)
            .map_err(|_| "The header describes a tensor without shape or place.")?;
        let [begin, end] = tensor.data_offsets;
        if begin > end || end > data {
            return Err("A tensor lies beyond the end of the file.");
        }
        let count = tensor.shape.iter().try_fold(1_u64, |count, &side| count.checked_mul(side));
        parameters = count
            .and_then(|count| parameters.checked_add(count))
            .ok_or("A tensor has more elements than can be counted.")?;
    }
    Ok(parameters)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(header: &str, data: usize) -> Vec<u8> {
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend_from_slice(header.as_bytes());
        bytes.resize(bytes.len() + data, 0);
        bytes
    }

    #[test]
    fn parameters_are_counted_from_the_shapes() {
        let header = r#"{"__metadata__":{"format":"pt"},
            "a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},
            "b":{"dtype":"F16","shape":[],"data_offsets":[24,26]}}"#;
        let bytes = file(header, 26);
        assert_eq!(parameters(&bytes, bytes.len() as u64), Ok(7));
    }

    #[test]
    fn a_header_that_cannot_be_true_is_refused_with_a_reason() {
        let beyond = file(r#"{"a":{"dtype":"F32","shape":[9],"data_offsets":[0,36]}}"#, 4);
        let cases = [
            (vec![1, 2, 3], "The file ends in its header."),
            (u64::MAX.to_le_bytes().to_vec(), "The header is longer than the file."),
            (file("{", 0), "The header is not JSON."),
            (file(r#"{"a":3}"#, 0), "The header describes a tensor without shape or place."),
            (beyond, "A tensor lies beyond the end of the file."),
            (
                file(r#"{"a":{"dtype":"F32","shape":[18446744073709551615,2],"data_offsets":[0,0]}}"#, 0),
                "A tensor has more elements than can be counted.",
            ),
        ];
        for (bytes, sentence) in cases {
            assert_eq!(parameters(&bytes, bytes.len() as u64), Err(sentence));
        }
    }
}
