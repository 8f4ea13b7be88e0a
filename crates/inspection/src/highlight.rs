//! Python in colours, for a reviewer's page: which bytes are what.

use std::ops::Range;

use tree_sitter::{Node, Parser, Tree};

/// What a piece of Python is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenClass {
    /// `def`, `import`, `return` …
    Keyword,
    /// A string, with its quotes.
    String,
    /// A comment.
    Comment,
    /// A number.
    Number,
    /// The name of a function or class where it is defined.
    Definition,
}

/// A piece of source code that is to be coloured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Its bytes.
    pub bytes: Range<usize>,
    /// What it is.
    pub class: TokenClass,
}

/// The coloured pieces of a Python source, in order and apart from each other. Works on broken code too.
pub fn highlight(source: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    if let Some(tree) = parse(source) {
        visit_all(&tree, &mut |node| {
            let class = class_of(node);
            if let Some(class) = class {
                tokens.push(Token { bytes: node.byte_range(), class });
            }
            class.is_none()
        });
    }
    tokens
}

/// The syntax tree of a Python source, with error nodes where it is broken.
pub(crate) fn parse(source: &str) -> Option<Tree> {
    let mut parser = Parser::new();
    parser.set_language(&tree_sitter_python::LANGUAGE.into()).ok()?;
    parser.parse(source, None)
}

/// Calls `visit` on every node, parents first; its answer says whether to go into the children. No recursion:
/// deeply nested code must not overflow the stack.
pub(crate) fn visit_all<'tree>(tree: &'tree Tree, visit: &mut dyn FnMut(Node<'tree>) -> bool) {
    let mut cursor = tree.walk();
    loop {
        if visit(cursor.node()) && cursor.goto_first_child() {
            continue;
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                return;
            }
        }
    }
}

fn class_of(node: Node<'_>) -> Option<TokenClass> {
    match node.kind() {
        "comment" => Some(TokenClass::Comment),
        "string" => Some(TokenClass::String),
        "integer" | "float" => Some(TokenClass::Number),
        "identifier" => {
            let parent = node.parent()?;
            let defined = matches!(parent.kind(), "function_definition" | "class_definition")
                && parent.child_by_field_name("name") == Some(node);
            defined.then_some(TokenClass::Definition)
        }
        "true" | "false" | "none" => Some(TokenClass::Keyword),
        word if !node.is_named() && word.chars().all(|c| c.is_ascii_lowercase()) => Some(TokenClass::Keyword),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_program_are_told_apart() {
        let source = "def evaluate(file):  # one file\n    return 'a' * 2\n";
        let pieces: Vec<(&str, TokenClass)> =
            highlight(source).into_iter().map(|token| (&source[token.bytes.clone()], token.class)).collect();
        assert_eq!(
            pieces,
            [
                ("def", TokenClass::Keyword),
                ("evaluate", TokenClass::Definition),
                ("# one file", TokenClass::Comment),
                ("return", TokenClass::Keyword),
                ("'a'", TokenClass::String),
                ("2", TokenClass::Number),
            ]
        );
    }
}
