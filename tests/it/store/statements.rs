//! Every statement in the sources is prepared by a migrated database of each kind, so that none is wrong in a branch
//! that no case reaches. The sources are read as tokens: `sql!` takes literals alone.

use crate::postgres::TestDatabase;
use candor::clock::Clock;
use candor::store::{Location, Store};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, SqlSafeStr as _, SqliteConnection};
use std::collections::BTreeMap;
use std::path::Path;
use tempfile::TempDir;

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Text(String),
    Word(String),
    Sign(char),
}

/// A statement, for SQLite and for PostgreSQL.
type Statement = (String, String);

fn sources() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store");
    let read = |path: std::path::PathBuf| {
        (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read_to_string(path).unwrap())
    };
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files
        .filter(|path| path.extension().is_some_and(|ending| ending == "rs") && !path.ends_with("tests.rs"))
        .map(read)
        .collect()
}

fn lex(source: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let mut length = first.len_utf8();
        if rest.starts_with("//") {
            length = rest.find('\n').unwrap_or(rest.len());
        } else if rest.starts_with("'\"'") {
            length = 3;
        } else if first == '"' {
            let (text, taken) = literal(rest);
            tokens.push(Token::Text(text));
            length = taken;
        } else if first.is_alphanumeric() || matches!(first, '_' | '$') {
            let inside = |sign: char| sign.is_alphanumeric() || sign == '_';
            length = rest[1..].find(|sign| !inside(sign)).map_or(rest.len(), |end| end + 1);
            tokens.push(Token::Word(rest[..length].to_owned()));
        } else if !first.is_whitespace() {
            tokens.push(Token::Sign(first));
        }
        rest = &rest[length..];
    }
    tokens
}

/// The value of the literal at the beginning, and its length in the source.
fn literal(source: &str) -> (String, usize) {
    let mut value = String::new();
    let mut signs = source.char_indices().skip(1).peekable();
    while let Some((at, sign)) = signs.next() {
        match sign {
            '"' => return (value, at + 1),
            '\\' => match signs.next().unwrap().1 {
                '\n' => while signs.next_if(|(_, sign)| sign.is_whitespace()).is_some() {},
                'n' => value.push('\n'),
                other @ ('"' | '\\') => value.push(other),
                // Texts of other kinds; a statement with one would not be prepared.
                other => value.extend(['\\', other]),
            },
            other => value.push(other),
        }
    }
    panic!("a literal does not end")
}

/// Where the bracket at `open` is closed.
fn closing(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token {
            Token::Sign('(' | '[' | '{') => depth += 1,
            Token::Sign(')' | ']' | '}') => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    panic!("a bracket is not closed")
}

/// What stands between commas that are in no bracket.
fn parts(tokens: &[Token]) -> Vec<&[Token]> {
    let (mut parts, mut start, mut at) = (Vec::new(), 0, 0);
    while at < tokens.len() {
        match tokens[at] {
            Token::Sign('(' | '[' | '{') => at = closing(tokens, at),
            Token::Sign(',') => {
                parts.push(&tokens[start..at]);
                start = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    parts.push(&tokens[start..]);
    parts.retain(|part| !part.is_empty());
    parts
}

/// The file's own macros, which put statements together: their parameters and what they stand for.
type Macros = BTreeMap<String, (Vec<String>, Vec<Token>)>;

fn statements(tokens: &[Token], macros: &mut Macros, found: &mut Vec<Statement>) {
    let mut at = 0;
    while at < tokens.len() {
        match &tokens[at..] {
            [Token::Word(word), Token::Sign('!'), Token::Word(name), Token::Sign('{'), ..] if word == "macro_rules" => {
                let end = closing(tokens, at + 3);
                if name != "sql" {
                    let given = closing(tokens, at + 4);
                    let names = tokens[at + 4..given].iter().filter_map(|token| match token {
                        Token::Word(word) if word.starts_with('$') => Some(word.clone()),
                        _ => None,
                    });
                    macros.insert(name.clone(), (names.collect(), tokens[given + 1..end].to_vec()));
                }
                at = end;
            }
            [Token::Word(name), Token::Sign('!'), Token::Sign('('), ..] if name == "sql" => {
                let end = closing(tokens, at + 2);
                found.push(statement(&tokens[at + 3..end]));
                at = end;
            }
            [Token::Word(name), Token::Sign('!'), Token::Sign('('), ..] if macros.contains_key(name) => {
                let end = closing(tokens, at + 2);
                let (names, body) = macros[name].clone();
                let given = parts(&tokens[at + 3..end]);
                assert_eq!(names.len(), given.len(), "{name}!");
                let filled: Vec<Token> = body
                    .into_iter()
                    .flat_map(|token| match &token {
                        Token::Word(word) if word.starts_with('$') => {
                            given[names.iter().position(|name| name == word).unwrap()].to_vec()
                        }
                        _ => vec![token],
                    })
                    .collect();
                statements(&filled, macros, found);
                at = end;
            }
            _ => {}
        }
        at += 1;
    }
}

fn statement(tokens: &[Token]) -> Statement {
    let (mut sqlite, mut postgres) = (String::new(), String::new());
    for part in parts(tokens) {
        match part {
            [Token::Text(both)] => {
                sqlite.push_str(both);
                postgres.push_str(both);
            }
            [Token::Sign('['), Token::Text(one), Token::Sign('|'), Token::Text(other), Token::Sign(']')] => {
                sqlite.push_str(one);
                postgres.push_str(other);
            }
            other => panic!("sql! takes literals and pairs: {other:?}"),
        }
    }
    (sqlite, postgres)
}

fn all() -> Vec<Statement> {
    let mut found = Vec::new();
    for (name, source) in sources() {
        statements(&lex(&source), &mut Macros::new(), &mut found);
        assert!(name == "sql.rs" || !source.contains("Sql {"), "{name}: a statement is made with sql!");
        // Those look after connections: transactions, versions, migrations.
        let below = ["database.rs", "mod.rs", "postgres.rs", "writer.rs"].contains(&name.as_str());
        assert!(below || !source.contains("sqlx::query"), "{name}: a statement goes through Connection::query");
    }
    assert!(found.len() > 80, "only {} statements were found", found.len());
    found
}

#[tokio::test]
async fn sqlite_prepares_every_statement() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("candor.db");
    Store::open(&path, Clock::System).await.unwrap().close().await;
    let mut connection = SqliteConnection::connect(path.to_str().unwrap()).await.unwrap();
    for (statement, _) in all().into_iter().filter(|(statement, _)| !statement.is_empty()) {
        let prepared = (&mut connection).prepare(AssertSqlSafe(statement.clone()).into_sql_str()).await;
        prepared.unwrap_or_else(|error| panic!("{error}: {statement}"));
    }
    connection.close().await.unwrap();
}

#[tokio::test]
async fn postgres_prepares_every_statement() {
    let Some(database) = TestDatabase::create().await else { return };
    Store::open(Location::from(&database.url), Clock::System).await.unwrap().close().await;
    let mut connection = PgConnection::connect(&database.url).await.unwrap();
    for (_, statement) in all().into_iter().filter(|(_, statement)| !statement.is_empty()) {
        let prepared = (&mut connection).prepare(AssertSqlSafe(statement.clone()).into_sql_str()).await;
        prepared.unwrap_or_else(|error| panic!("{error}: {statement}"));
    }
    connection.close().await.unwrap();
    database.drop().await;
}

#[test]
fn few_statements_differ() {
    let pairs: Vec<Statement> = all().into_iter().filter(|(sqlite, postgres)| sqlite != postgres).collect();
    // The four guards of an appended event, an empty list, the owner, two locks, two clean-ups of an index and what the
    // first one looks for, the search, a claim that passes over what others are about to take, two lists of ids, whether
    // a server takes writes.
    assert!(pairs.len() <= 16, "write each query once; these differ: {pairs:#?}");
}

/// Methods of the store and of the archive that no case calls.
#[test]
fn every_method_has_a_case() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/store");
    let cases: String = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap())
        .collect();
    let mut methods = 0;
    for (name, source) in sources() {
        for block in source
            .split("\nimpl ")
            .skip(1)
            .filter(|block| block.starts_with("Store {") || block.starts_with("Archive {"))
        {
            let block = block.split("\n}\n").next().unwrap();
            for line in block.lines() {
                let line = line.trim_start();
                let Some(rest) = line.strip_prefix("pub async fn ").or_else(|| line.strip_prefix("pub fn ")) else {
                    continue;
                };
                let method = rest.split('(').next().unwrap();
                let called = [".", "Store::", "Archive::"].iter().any(|way| cases.contains(&format!("{way}{method}(")));
                assert!(called, "{name}: no case in tests/it/store calls {method}");
                methods += 1;
            }
        }
    }
    assert!(methods > 55, "only {methods} methods were found");
}
