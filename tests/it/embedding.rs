//! What a site that embeds the chat gets from the server: who may frame it, and scripts that are whole.

use crate::support::TestApp;

#[tokio::test]
async fn only_listed_origins_may_frame_the_chat_and_nobody_the_desk() {
    let app = TestApp::start().await;
    let policy = |path: &'static str| {
        let address = format!("{}{path}", app.origin);
        async move {
            let answer = reqwest::get(address).await.unwrap();
            assert_eq!(answer.status(), 200);
            answer.headers()["content-security-policy"].to_str().unwrap().to_owned()
        }
    };
    let chat = policy("/chat/").await;
    let ancestors = chat.rsplit_once("frame-ancestors ").unwrap().1;
    assert!(ancestors.split(' ').any(|origin| origin == "https://shop.example"), "{ancestors}");
    assert!(ancestors.split(' ').all(|origin| !origin.contains('*') && origin != "https:"), "{ancestors}");
    assert!(chat.contains("script-src 'self';") && chat.contains("require-trusted-types-for 'script'"), "{chat}");
    assert!(policy("/desk/").await.ends_with("frame-ancestors 'none'"));
    app.stop().await;
}

#[tokio::test]
async fn the_loader_is_one_script_with_nothing_left_to_fill_in() {
    let app = TestApp::start().await;
    let script = reqwest::get(format!("{}/widget.js", app.origin)).await.unwrap().text().await.unwrap();
    for left in ["__", "import {", "export ", "\n//", "/*"] {
        assert!(!script.contains(left), "{left:?} in {script}");
    }
    for language in ["en", "ar", "ja"] {
        assert!(script.contains(&format!("\"{language}\":[\"")), "{language} in {script}");
    }
    app.stop().await;
}
