"""Make a tiny model with random weights: `make.py KIND DIRECTORY WAV…`, run with the Python of the runtime `transformers`.

Prints, as JSON, its number of parameters and what the library's own pipeline hears in each file: the texts that the
adapter must give too. KIND is `wav2vec2` (CTC over letters), `whisper` (encoder-decoder over byte pairs),
`ctranslate2` (the same Whisper, converted; the package `ctranslate2` must be on the path), `onnx` (the first Whisper again,
exported to ONNX under the names that Optimum uses; its texts are those of the PyTorch model, searched greedily after the
prompt of openai/whisper's `decoding.py` without time stamps), or a language model that hears: `granite`,
`qwen2-audio`, `qwen3-asr`, `voxtral`, of which the texts are those of the calls on the library's pages about them.
"""

import base64
import json
import os
import shutil
import sys
import wave

os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", TRANSFORMERS_VERBOSITY="error")

import numpy  # noqa: E402
import torch  # noqa: E402
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers  # noqa: E402
from mistral_common.tokens.tokenizers.base import SpecialTokens  # noqa: E402
from transformers import (  # noqa: E402
    AutoModelForMultimodalLM,
    AutoProcessor,
    GraniteSpeechConfig,
    GraniteSpeechFeatureExtractor,
    GraniteSpeechForConditionalGeneration,
    GraniteSpeechProcessor,
    PreTrainedTokenizerFast,
    Qwen2AudioConfig,
    Qwen2AudioForConditionalGeneration,
    Qwen2AudioProcessor,
    Qwen3ASRConfig,
    Qwen3ASRFeatureExtractor,
    Qwen3ASRForConditionalGeneration,
    Qwen3ASRProcessor,
    VoxtralConfig,
    VoxtralForConditionalGeneration,
    VoxtralProcessor,
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

from transformers.tokenization_mistral_common import MistralCommonBackend  # noqa: E402

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


def letters(special, **named):
    """A tokenizer of bytes, with these special tokens; the first of them ends a text, and some have names."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={token: index for index, token in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(it, special=True) for it in special])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=special[0], pad_token=special[0], extra_special_tokens=named)


def only_letters(model, tokenizer):
    """At random, everything but letters would be no text; and random weights say the same for ever unless spread."""
    said = set(tokenizer.convert_tokens_to_ids([*"abcdefghijklmnopqrstuvwxyz"]))
    generation = model.generation_config
    generation.suppress_tokens = [it for it in range(len(tokenizer)) if it not in said]
    generation.max_new_tokens = 12
    generation.eos_token_id = generation.pad_token_id = tokenizer.eos_token_id
    for parameter in model.parameters():
        if parameter.dim() > 1:
            parameter.data *= 12


TEXT = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 2, "intermediate_size": 64}
# As the library's page about Granite gives it, less the date: plain text with the token of the audio in it.
GRANITE_TEMPLATE = "{% for message in messages %}<|start_of_role|>{{ message['role'] }}<|end_of_role|>{{ message['content'] + '<|end_of_text|>\\n' }}{% endfor %}{% if add_generation_prompt %}<|start_of_role|>assistant<|end_of_role|>{% endif %}"
# As Qwen3-ASR's repository has it, less what is about tools: messages of parts, and an answer that may be begun.
QWEN3_TEMPLATE = "{% for message in messages %}<|im_start|>{{ message['role'] }}\\n{% for part in message['content'] %}{% if part['type'] == 'audio' %}<|audio_start|><|audio_pad|><|audio_end|>{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% if not loop.last %}<|im_end|>\\n{% endif %}{% endfor %}"


def granite(_):
    tokenizer = letters(["<|end_of_text|>", "<|audio|>", "<|start_of_role|>", "<|end_of_role|>"])
    config = GraniteSpeechConfig(
        text_config={"model_type": "granite", "vocab_size": len(tokenizer), **TEXT},
        encoder_config={"hidden_dim": 32, "num_layers": 2, "num_heads": 2, "input_dim": 160, "output_dim": 8, "context_size": 20},
        projector_config={
            "model_type": "blip_2_qformer", "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
            "intermediate_size": 64, "encoder_hidden_size": 32, "vocab_size": 8,
        },
        audio_token_index=tokenizer.convert_tokens_to_ids("<|audio|>"), has_lora_adapter=False,
    )
    processor = GraniteSpeechProcessor(GraniteSpeechFeatureExtractor(), tokenizer, chat_template=GRANITE_TEMPLATE)
    return GraniteSpeechForConditionalGeneration(config), processor


def qwen2_audio(_):
    tokenizer = letters(["<|im_end|>", "<|im_start|>", "<|AUDIO|>", "<|audio_bos|>", "<|audio_eos|>"])
    config = Qwen2AudioConfig(
        text_config={"model_type": "qwen2", "vocab_size": len(tokenizer), **TEXT},
        audio_config={
            "model_type": "qwen2_audio_encoder", "d_model": 32, "encoder_layers": 2, "encoder_attention_heads": 2,
            "encoder_ffn_dim": 64, "num_mel_bins": 80,
        },
        audio_token_index=tokenizer.convert_tokens_to_ids("<|AUDIO|>"),
    )
    return Qwen2AudioForConditionalGeneration(config), Qwen2AudioProcessor(WhisperFeatureExtractor(), tokenizer)


def qwen3_asr(_):
    tokenizer = letters(
        ["<|im_end|>", "<|im_start|>", "<|audio_pad|>", "<|audio_start|>", "<|audio_end|>", "<asr_text>"],
        audio_token="<|audio_pad|>", audio_bos_token="<|audio_start|>", audio_eos_token="<|audio_end|>", timestamp_token="<timestamp>",
    )
    config = Qwen3ASRConfig(
        text_config={"model_type": "qwen3", "vocab_size": len(tokenizer), "head_dim": 16, "tie_word_embeddings": False, **TEXT},
        audio_config={
            "model_type": "qwen3_asr_encoder", "d_model": 32, "encoder_layers": 2, "encoder_attention_heads": 2,
            "encoder_ffn_dim": 64, "output_dim": 32, "downsample_hidden_size": 16,
        },
        audio_token_id=tokenizer.convert_tokens_to_ids("<|audio_pad|>"), pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id, tie_word_embeddings=False,
    )
    processor = Qwen3ASRProcessor(Qwen3ASRFeatureExtractor(feature_size=128), tokenizer, chat_template=QWEN3_TEMPLATE)
    return Qwen3ASRForConditionalGeneration(config), processor


def voxtral(directory):
    """Its tokenizer is Mistral's own file: bytes, with all special tokens of that family, and how audio becomes tokens."""
    first = ["<unk>", "<s>", "</s>"]
    special = first + [it.value for it in SpecialTokens if it.value not in first]
    tekken = {
        "config": {
            "pattern": r"\S+|\s+", "num_vocab_tokens": 256, "default_vocab_size": 256 + len(special),
            "default_num_special_tokens": len(special), "version": "v13",
        },
        "vocab": [{"rank": it, "token_bytes": base64.b64encode(bytes([it])).decode(), "token_str": None} for it in range(256)],
        "special_tokens": [{"rank": rank, "token_str": it, "is_control": True} for rank, it in enumerate(special)],
        "audio": {
            "sampling_rate": 16_000, "frame_rate": 12.5, "chunk_length_s": 30.0,
            "audio_encoding_config": {"num_mel_bins": 128, "hop_length": 160, "window_size": 400},
        },
    }
    with open(f"{directory}/tekken.json", "w", encoding="utf-8") as file:
        json.dump(tekken, file)
    config = VoxtralConfig(
        text_config={"model_type": "llama", "vocab_size": 256 + len(special), "head_dim": 16, **TEXT},
        audio_config={
            "model_type": "voxtral_encoder", "num_mel_bins": 128, "hidden_size": 32, "intermediate_size": 128,
            "num_hidden_layers": 2, "num_attention_heads": 2, "vocab_size": 8,
        },
        audio_token_id=special.index("[AUDIO]"),
    )
    processor = VoxtralProcessor(WhisperFeatureExtractor(feature_size=128), MistralCommonBackend.from_pretrained(directory))
    model = VoxtralForConditionalGeneration(config)
    # What it hears moves this one less than the others; without more, it says one letter whatever it hears.
    for parameter in model.parameters():
        if parameter.dim() > 1:
            parameter.data *= 2
    return model, processor


CHATS = {"granite": granite, "qwen2-audio": qwen2_audio, "qwen3-asr": qwen3_asr, "voxtral": voxtral}
QUESTION = "can you transcribe the speech into a written format?"


def asked(kind, processor, samples):
    """The request as the library's pages about these models write it."""
    if kind == "qwen3-asr":
        return processor.apply_transcription_request(audio=samples, language="en")
    if kind == "voxtral":
        more = {"model_id": "voxtral", "sampling_rate": 16_000, "format": ["WAV"]}
        return processor.apply_transcription_request(audio=[samples], language="en", **more)
    content = f"<|audio|>{QUESTION}"
    if kind == "qwen2-audio":
        content = [{"type": "audio", "audio_url": "file"}, {"type": "text", "text": QUESTION}]
    chat = [{"role": "user", "content": content}]
    prompt = processor.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    return processor(text=[prompt], audio=[samples], return_tensors="pt")


def answers(kind, directory, recordings):
    model, processor = AutoModelForMultimodalLM.from_pretrained(directory).eval(), AutoProcessor.from_pretrained(directory)
    texts = []
    for path in recordings:
        inputs = asked(kind, processor, read_wave(path))
        said = model.generate(**inputs, do_sample=False)[:, inputs["input_ids"].shape[1] :]
        texts.append(processor.batch_decode(said, skip_special_tokens=True)[0])
    return texts


def export(model, directory):
    """Encoder and decoder in ONNX, with the names and inputs of `optimum-cli export onnx --task automatic-speech-recognition`."""

    class Encoder(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = model.model.encoder

        def forward(self, input_features):
            return self.encoder(input_features).last_hidden_state

    class Decoder(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.decoder, self.head = model.model.decoder, model.proj_out

        def forward(self, input_ids, encoder_hidden_states):
            # Each sees what is before it; the library's own way of making this mask cannot be exported.
            length = input_ids.shape[1]
            mask = torch.full((length, length), torch.finfo(torch.float32).min).triu(1)[None, None]
            said = self.decoder(
                input_ids=input_ids, attention_mask=mask, encoder_hidden_states=encoder_hidden_states, use_cache=False
            )
            return self.head(said.last_hidden_state)

    features, tokens = torch.zeros(1, 80, 3000), torch.zeros(1, 4, dtype=torch.int64)
    plain = {"dynamo": False, "opset_version": 17}
    torch.onnx.export(
        Encoder(), (features,), f"{directory}/encoder_model.onnx", input_names=["input_features"],
        output_names=["last_hidden_state"], dynamic_axes={"input_features": {0: "batch"}}, **plain,
    )
    torch.onnx.export(
        Decoder(), (tokens, Encoder()(features)), f"{directory}/decoder_model.onnx",
        input_names=["input_ids", "encoder_hidden_states"], output_names=["logits"],
        dynamic_axes={"input_ids": {0: "batch", 1: "length"}, "encoder_hidden_states": {0: "batch"}}, **plain,
    )


def read_wave(path):
    with wave.open(path, "rb") as audio:
        return numpy.frombuffer(audio.readframes(audio.getnframes()), dtype="<i2").astype(numpy.float32) / 32768


def greedy(model, processor, samples):
    number, generation = processor.tokenizer.convert_tokens_to_ids, model.generation_config
    encoded = model.model.encoder(processor(samples, sampling_rate=16_000, return_tensors="pt").input_features)
    said = [number("<|startoftranscript|>"), number("<|notimestamps|>")]
    for _ in range(generation.max_new_tokens):
        scores = model(encoder_outputs=encoded, decoder_input_ids=torch.tensor([said])).logits[0, -1]
        scores[generation.suppress_tokens + (generation.begin_suppress_tokens if len(said) == 2 else [])] = -torch.inf
        said.append(int(scores.argmax()))
        if said[-1] == generation.eos_token_id:
            break
    return processor.decode(said, skip_special_tokens=True)


def make(kind, directory):
    if kind in CHATS:
        model, processor = CHATS[kind](directory)
        only_letters(model, processor.tokenizer)
        return model, processor
    return wav2vec2(directory) if kind == "wav2vec2" else whisper("whisper" if kind == "onnx" else kind)


def main():
    kind, directory, recordings = sys.argv[1], sys.argv[2], sys.argv[3:]
    torch.manual_seed(2)
    model, processor = make(kind, directory)
    place = directory if kind not in ("ctranslate2", "onnx") else f"{directory}/original"
    model.eval().save_pretrained(place)
    processor.save_pretrained(place)
    if kind == "ctranslate2":
        from ctranslate2.converters import TransformersConverter

        copied = [it for it in ("tokenizer.json", "preprocessor_config.json") if os.path.exists(f"{place}/{it}")]
        TransformersConverter(place, copy_files=copied).convert(f"{directory}/converted")
    if kind == "onnx":
        export(model, directory)
        for name in ("config.json", "generation_config.json"):
            shutil.copy(f"{place}/{name}", directory)
        # What the library kept in a file of its own before it put everything into tokenizer.json.
        with open(f"{place}/tokenizer.json", encoding="utf-8") as tokenizer, open(f"{directory}/vocab.json", "w", encoding="utf-8") as file:
            json.dump(json.load(tokenizer)["model"]["vocab"], file)
    parameters = sum(it.numel() for it in model.parameters())
    if kind in CHATS:
        print(json.dumps({"parameters": parameters, "texts": answers(kind, place, recordings)}))
        return
    if kind == "onnx":
        with torch.inference_mode():
            print(json.dumps({"parameters": parameters, "texts": [greedy(model, processor, read_wave(it)) for it in recordings]}))
        return
    recogniser = pipeline("automatic-speech-recognition", place, device="cpu")
    # The pipeline's own default for Whisper is five beams, the adapter's one.
    more = {} if kind == "wav2vec2" else {"generate_kwargs": {"num_beams": 1}}
    texts = [recogniser(read_wave(it), **more)["text"] for it in recordings]
    print(json.dumps({"parameters": parameters, "texts": texts}))


main()
