//! Words as numbers.

use rustc_hash::FxHashMap;

use crate::normalize::text::words;

/// A word as a number: equal for equal words only.
pub(crate) type Token = u128;

const BYTES: usize = size_of::<Token>();
/// One in every byte.
const ONES: Token = Token::MAX / 0xff;

/// Numbers the words from byte `at` on that have up to 15 characters of printable ASCII and end at a space or at the
/// end of the text, in blocks of 16 bytes; returns where the first other word, or something else, begins.
fn plain_words(text: &[u8], mut at: usize, tokens: &mut Vec<Token>) -> usize {
    while at < text.len() {
        let block = match text[at..].first_chunk() {
            Some(chunk) => Token::from_le_bytes(*chunk),
            None => padded(&text[at..]),
        };
        let length = printable_start(block);
        if length == 0 || length == BYTES || (block >> (8 * length)) as u8 != b' ' {
            return at;
        }
        tokens.push(block & ((1 << (8 * length)) - 1) | (length as Token) << 120);
        at = (at + length + 1).min(text.len());
    }
    at
}

/// The last bytes of a text as a block, filled up with spaces.
fn padded(rest: &[u8]) -> Token {
    let mut block = [b' '; BYTES];
    block[..rest.len()].copy_from_slice(rest);
    Token::from_le_bytes(block)
}

/// How many bytes at the start of a block are printable ASCII: above the space and below 128. Each byte is looked at by
/// itself: without its high bit, adding 0x5f sets that bit from 0x21 on and carries nothing over.
fn printable_start(block: Token) -> usize {
    const HIGH: Token = ONES << 7;
    let above_space = (block & !HIGH) + ONES * 0x5f;
    let others = !(above_space & !block) & HIGH;
    others.trailing_zeros() as usize / 8
}

/// Gives words numbers: words of up to 15 bytes are their own bytes, longer ones are counted.
#[derive(Default)]
pub(crate) struct Lexicon<'a> {
    long: FxHashMap<&'a str, Token>,
}

impl<'a> Lexicon<'a> {
    /// The number of a word.
    pub(crate) fn token(&mut self, word: &'a str) -> Token {
        self.token_at(word, 0, word.len())
    }

    /// The numbers of the words of a text.
    pub(crate) fn tokens(&mut self, text: &'a str) -> Vec<Token> {
        let mut tokens = Vec::with_capacity(text.len() / 4 + 1);
        let mut at = 0;
        loop {
            at = plain_words(text.as_bytes(), at, &mut tokens);
            // What is not plain is read by the rule for all texts, one word at a time.
            let mut rest = words(&text[at..]);
            let Some(word) = rest.next() else { return tokens };
            let end = text.len() - rest.remaining();
            tokens.push(self.token_at(text, end - word.len(), word.len()));
            at = end + usize::from(text.as_bytes().get(end) == Some(&b' '));
        }
    }

    /// The number of the word of that length that stands at byte `start` of a text.
    fn token_at(&mut self, text: &'a str, start: usize, length: usize) -> Token {
        if length >= BYTES {
            let next = Token::MAX - self.long.len() as Token;
            return *self.long.entry(&text[start..start + length]).or_insert(next);
        }
        // Mostly there are 16 bytes to load at once; what is not of the word is masked out.
        let bytes = match text.as_bytes()[start..].first_chunk() {
            Some(chunk) => Token::from_le_bytes(*chunk) & ((1 << (8 * length)) - 1),
            None => text.as_bytes()[start..start + length]
                .iter()
                .rev()
                .fold(0, |all, &byte| all << 8 | Token::from(byte)),
        };
        bytes | (length as Token) << 120
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_long_words_never_share_a_number() {
        let mut lexicon = Lexicon::default();
        let words = [
            "",
            "a",
            "a\0",
            "\0",
            "abcdefgh",
            "abcdefghijklmno",
            "abcdefghijklmnop",
            "abcdefghijklmnopq",
            "éééééééé",
        ];
        let tokens: Vec<Token> = words.iter().map(|word| lexicon.token(word)).collect();
        let mut distinct = tokens.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), words.len());
        assert_eq!(lexicon.token("abcdefghijklmnop"), tokens[6]);
    }

    #[test]
    fn words_get_the_same_numbers_however_they_are_read() {
        let long = "w".repeat(40);
        for length in 0..40 {
            for odd in ["", "é", "\x01", "\x7f", "~", "!", "\u{3000}x", "\u{a0}", "\t", "  ", " \x1c "] {
                let word = &long[..length];
                for text in [
                    format!("{word}{odd}{word} \t{word}"),
                    format!(" {odd}{word} a{word} b"),
                    format!("{word} {odd}"),
                ] {
                    let mut lexicon = Lexicon::default();
                    let one_by_one: Vec<Token> = words(&text).map(|word| lexicon.token(word)).collect();
                    assert_eq!(lexicon.tokens(&text), one_by_one, "{text:?}");
                }
            }
        }
    }
}
