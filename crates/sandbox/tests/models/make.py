"""Make a tiny model with random weights: `make.py KIND DIRECTORY WAV…`, run with the Python of the runtime `transformers`.

Prints, as JSON, its number of parameters and what the library's own pipeline hears in each file: the texts that the
adapter must give too. KIND is `wav2vec2` (CTC over letters), `whisper` (encoder-decoder over byte pairs), or
`ctranslate2` (the same Whisper, converted; the package `ctranslate2` must be on the path).
"""

import json
import os
import sys
import wave

os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", TRANSFORMERS_VERBOSITY="error")

import numpy  # noqa: E402
import torch  # noqa: E402
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers  # noqa: E402
from transformers import (  # noqa: E402
    Wav2Vec2Config,
    Wav2Vec2CTCTokenizer,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2ForCTC,
    Wav2Vec2Processor,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
    WhisperProcessor,
    WhisperTokenizer,
    pipeline,
)

SPECIAL = ["<|endoftext|>", "<|startoftranscript|>", "<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>"]
# Time stamps from 0 to 30 s, every 20 ms.
STAMPS = [f"<|{index * 0.02:.2f}|>" for index in range(1501)]


def wav2vec2(directory):
    letters = ["<pad>", "<s>", "</s>", "<unk>", "|", *"abcdefghijklmnopqrstuvwxyz'"]
    with open(f"{directory}/vocab.json", "w", encoding="utf-8") as file:
        json.dump({letter: index for index, letter in enumerate(letters)}, file)
    processor = Wav2Vec2Processor(
        Wav2Vec2FeatureExtractor(feature_size=1, sampling_rate=16_000, do_normalize=True, return_attention_mask=True),
        Wav2Vec2CTCTokenizer(f"{directory}/vocab.json"),
    )
    model = Wav2Vec2ForCTC(
        Wav2Vec2Config(
            vocab_size=len(letters), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
            conv_dim=(32,) * 7, num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=2, pad_token_id=0,
            feat_extract_norm="layer", do_stable_layer_norm=True,
        )
    )
    # Random weights favour one letter over all audio; a larger last layer spreads them. What is no letter is never said.
    torch.nn.init.normal_(model.lm_head.weight, std=2.0)
    model.lm_head.bias.data[1:4] = -1000
    return model, processor


def spell(decoder, tokens):
    """Make a decoder say these tokens whatever it hears: the one after each place is written into that place's vector,
    every other path is closed. So two engines with different rules about time stamps must say the same."""
    # The row of the padding token, which is also the end, is zero to begin with.
    embeddings = torch.nn.init.normal_(decoder.embed_tokens.weight.data)
    embeddings -= embeddings.mean(dim=1, keepdim=True)
    # Of equal length, so that each is nearest to itself, and long, so that no crowd of others outweighs it.
    embeddings *= 8 / embeddings.norm(dim=1, keepdim=True)
    for layer in decoder.layers:
        for closed in (layer.self_attn.out_proj, layer.encoder_attn.out_proj, layer.fc2):
            closed.weight.data.zero_()
            closed.bias.data.zero_()
    for place, token in enumerate(tokens):
        decoder.embed_positions.weight.data[place] = 50 * embeddings[token]


def whisper(kind):
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: index for index, token in enumerate(alphabet)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(it, special=True) for it in SPECIAL])
    tokenizer.add_tokens([AddedToken(it) for it in STAMPS])
    fast = WhisperTokenizer(tokenizer_object=tokenizer, bos_token=SPECIAL[0], eos_token=SPECIAL[0], unk_token=SPECIAL[0], pad_token=SPECIAL[0])
    number = fast.convert_tokens_to_ids
    model = WhisperForConditionalGeneration(
        WhisperConfig(
            vocab_size=len(fast), num_mel_bins=80, d_model=32, encoder_layers=2, decoder_layers=2,
            encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=64, decoder_ffn_dim=64,
            bos_token_id=number(SPECIAL[0]), eos_token_id=number(SPECIAL[0]), pad_token_id=number(SPECIAL[0]),
            decoder_start_token_id=number("<|startoftranscript|>"),
            # Much larger than in training, so that what is said depends on what is heard.
            init_std=0.02 if kind == "ctranslate2" else 0.5,
        )
    )
    if kind == "ctranslate2":
        spell(model.model.decoder, [number(it) for it in ["<|0.00|>", *"hello", SPECIAL[0]]])
    generation = model.generation_config
    generation.no_timestamps_token_id = number("<|notimestamps|>")
    generation.is_multilingual = False
    generation.max_new_tokens = 12
    if kind == "whisper":
        # Only letters are said: single bytes at random are no text.
        said = {*"abcdefghijklmnopqrstuvwxyz", SPECIAL[0]}
        generation.suppress_tokens = [number(it) for it in [*alphabet, *SPECIAL, *STAMPS] if it not in said]
    generation.begin_suppress_tokens = [number(SPECIAL[0])]
    return model, WhisperProcessor(WhisperFeatureExtractor(), fast)


def read_wave(path):
    with wave.open(path, "rb") as audio:
        return numpy.frombuffer(audio.readframes(audio.getnframes()), dtype="<i2").astype(numpy.float32) / 32768


def main():
    kind, directory, recordings = sys.argv[1], sys.argv[2], sys.argv[3:]
    torch.manual_seed(2)
    model, processor = wav2vec2(directory) if kind == "wav2vec2" else whisper(kind)
    place = directory if kind != "ctranslate2" else f"{directory}/original"
    model.eval().save_pretrained(place)
    processor.save_pretrained(place)
    if kind == "ctranslate2":
        from ctranslate2.converters import TransformersConverter

        copied = [it for it in ("tokenizer.json", "preprocessor_config.json") if os.path.exists(f"{place}/{it}")]
        TransformersConverter(place, copy_files=copied).convert(f"{directory}/converted")
    recogniser = pipeline("automatic-speech-recognition", place, device="cpu")
    # The pipeline's own default for Whisper is five beams, the adapter's one.
    more = {} if kind == "wav2vec2" else {"generate_kwargs": {"num_beams": 1}}
    texts = [recogniser(read_wave(it), **more)["text"] for it in recordings]
    print(json.dumps({"parameters": sum(it.numel() for it in model.parameters()), "texts": texts}))


main()
