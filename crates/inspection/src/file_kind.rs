//! What a file is, by its name and its first bytes.

use serde::{Deserialize, Serialize};

/// What a file of a submission is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileKind {
    /// `ffasr.toml` at the top or in a folder there.
    Manifest,
    /// Weights in the safetensors format: data only.
    Safetensors,
    /// An ONNX graph or its weights: data only.
    Onnx,
    /// A GGUF file of the ggml family: data only.
    Gguf,
    /// Weights that are a Python pickle, or an archive that holds one.
    Pickle,
    /// A configuration in JSON.
    Configuration,
    /// Python source.
    Python,
    /// Machine code or byte code.
    NativeCode,
    /// A zip or tar file.
    Archive,
    /// A licence text.
    Licence,
    /// Other text.
    Text,
    /// Anything else.
    Other,
}

impl FileKind {
    /// Tells the kind from the path and the first bytes (as many as there are, 512 suffice).
    pub fn of(path: &str, head: &[u8]) -> Self {
        let path = path.strip_prefix("./").unwrap_or(path);
        let name = path.rsplit('/').next().unwrap_or(path).to_lowercase();
        let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
        let pickle =
            head.first() == Some(&0x80) && head.get(1).is_some_and(|version| (2..=5).contains(version));
        // At the top, or in the one folder that an archive of a folder has.
        if name == "ffasr.toml" && path.matches('/').count() <= 1 {
            return Self::Manifest;
        }
        // Content before name: a pickle stays a pickle whatever it is called.
        if pickle || matches!(extension, "pt" | "pth" | "ckpt" | "pkl" | "pickle" | "joblib" | "nemo") {
            return Self::Pickle;
        }
        if head.starts_with(b"\x7fELF")
            || head.starts_with(b"MZ")
            || matches!(extension, "so" | "dll" | "dylib" | "pyc")
        {
            return Self::NativeCode;
        }
        if head.starts_with(b"PK\x03\x04") {
            // PyTorch's own container; NumPy's may hold pickled objects.
            return if matches!(extension, "bin" | "npz" | "keras") { Self::Pickle } else { Self::Archive };
        }
        if head.starts_with(&[0x1f, 0x8b]) || head.get(257..262) == Some(b"ustar") {
            return Self::Archive;
        }
        match extension {
            "safetensors" => Self::Safetensors,
            "onnx" | "ort" => Self::Onnx,
            _ if head.starts_with(b"GGUF") => Self::Gguf,
            "json" => Self::Configuration,
            "py" => Self::Python,
            _ if matches!(name.split('.').next(), Some("license" | "licence" | "copying" | "notice")) => {
                Self::Licence
            }
            "txt" | "md" | "toml" | "yaml" | "yml" | "vocab" | "lm" | "dict" | "cfg" => Self::Text,
            _ => Self::Other,
        }
    }

    /// Whether it may hold what a model has learnt.
    pub(crate) fn may_be_weights(self) -> bool {
        matches!(self, Self::Safetensors | Self::Onnx | Self::Gguf | Self::Pickle | Self::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_counts_more_than_the_name() {
        assert_eq!(FileKind::of("model/weights.safetensors", &[0x80, 0x04, 0x95]), FileKind::Pickle);
        assert_eq!(FileKind::of("pytorch_model.bin", b"PK\x03\x04...."), FileKind::Pickle);
        assert_eq!(FileKind::of("notes.txt", b"\x7fELF\x02"), FileKind::NativeCode);
        assert_eq!(FileKind::of("model.txt", b"GGUF"), FileKind::Gguf);
        assert_eq!(FileKind::of("data.json", &[0x1f, 0x8b, 8]), FileKind::Archive);
    }

    #[test]
    fn names_tell_the_rest() {
        for (path, kind) in [
            ("./ffasr.toml", FileKind::Manifest),
            ("sub/ffasr.toml", FileKind::Manifest),
            ("sub/sub/ffasr.toml", FileKind::Text),
            ("model.safetensors", FileKind::Safetensors),
            ("encoder.ONNX", FileKind::Onnx),
            ("config.json", FileKind::Configuration),
            ("LICENSE", FileKind::Licence),
            ("licence.md", FileKind::Licence),
            ("code/modeling.py", FileKind::Python),
            ("mdef", FileKind::Other),
        ] {
            assert_eq!(FileKind::of(path, b"anything"), kind, "{path}");
        }
    }
}
