//! Words as numbers.

use rustc_hash::FxHashMap;

use crate::normalize::text::words;

/// A word as a number: equal for equal words only.
pub(crate) type Token = u128;

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
        let mut rest = words(text);
        while let Some(word) = rest.next() {
            let end = text.len() - rest.remaining();
            tokens.push(self.token_at(text, end - word.len(), word.len()));
        }
        tokens
    }

    /// The number of the word of that length that stands at byte `start` of a text.
    fn token_at(&mut self, text: &'a str, start: usize, length: usize) -> Token {
        if length >= size_of::<Token>() {
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
}
