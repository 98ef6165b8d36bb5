//! Who sees what, and who may do what.

use super::*;

#[test]
fn each_sees_what_the_api_server_lets_that_person_list_and_writes_with_the_own_rights() -> Result<()> {
    let (scene, bases) = serving(2)?;
    let board = Board::start(&scene.cluster, &[])?;
    plan_roles(&scene)?;
    let elsewhere = scene.cluster.namespace("elsewhere")?;
    let mut other = plan(&scene, "secret-plan", "2.0.0");
    other["metadata"]["namespace"] = json!(elsewhere);
    scene.cluster.apply(&other.to_string())?;
    scene.cluster.apply(&plan(&scene, "p", "2.0.0").to_string())?;
    release(&scene, "2.0.0", Some("p"))?;
    wait_phase(&scene, "p", "AwaitingConfirm")?;
    person(&scene, "admin", &[])?;
    sees_all(&scene, "admin")?;
    person(&scene, "tenant", &["koupleless-board-viewer", "module-controller-plan-confirmer"])?;
    person(&scene, "nobody", &[])?;
    account::may(
        &scene.cluster,
        &scene.namespace,
        "tenant",
        &["patch", "operationplans.koupleless.io", "-n", &scene.namespace],
    )?;

    let admin = Person::log_in(&scene, &board, "admin")?;
    wait_for("the board shows both plans", SOON, || {
        let plans = admin.get("/plans")?;
        let seen = (items_of(&plans, &scene.namespace), items_of(&plans, &elsewhere));
        ensure!(seen == (vec!["p".to_owned()], vec!["secret-plan".to_owned()]), "{plans}");
        Ok(Some(()))
    })?;
    let node = bases[0].node();
    let base = admin.get(&format!("/bases/{node}"))?;
    ensure!(base["base"]["ready"]["status"] == "True" && !text(&base, "/base/owner").is_empty(), "{base}");
    ensure!(base["labels"]["base.koupleless.io/version"] == scene.base_version.as_str(), "{base}");
    ensure!(
        base["lines"].as_array().is_some_and(|lines| lines.iter().any(|line| line["module"] == "biz1")),
        "{base}"
    );

    let tenant = Person::log_in(&scene, &board, "tenant")?;
    let plans = tenant.get("/plans")?;
    ensure!(plans["items"].as_array().is_some_and(|all| all.len() == 1), "{plans}");
    let modules = tenant.get("/modules")?;
    ensure!(items_of(&modules, &scene.namespace) == ["biz1"], "{modules}");
    ensure!(modules["items"].as_array().is_some_and(|all| all.len() == 1), "{modules}");
    let seen = tenant.get(&format!("/bases/{node}"))?;
    ensure!(seen["base"]["ready"].is_null() && seen["labels"] == json!({}), "a tenant sees a Node: {seen}");
    let missing = seen["notShown"].to_string();
    ensure!(missing.contains("Nodes of bases") && missing.contains("some namespaces only"), "{missing}");
    for path in ["/plans/elsewhere/secret-plan", &format!("/plans/{elsewhere}/secret-plan")] {
        let answer = tenant.ask("GET", path, None)?;
        ensure!(answer.status == 403, "{answer:?}");
    }

    let events = tenant.get("/events")?;
    let about = events["items"].as_array().cloned().unwrap_or_default();
    ensure!(
        !about.is_empty() && about.iter().all(|one| one["about"]["namespace"] == scene.namespace.as_str()),
        "{events}"
    );

    let nobody = Person::log_in(&scene, &board, "nobody")?;
    for path in ["/plans", "/modules", "/bases", "/targets"] {
        ensure!(nobody.get(path)?["items"] == json!([]), "nobody sees {path}");
    }

    strangers_are_refused(&board, &tenant)?;
    whoever_may_not_is_told(&scene, &admin)?;
    a_confirmation_that_is_stale_is_refused(&scene, &tenant)
}

/// No token, a wrong one, another site's page.
fn strangers_are_refused(board: &Board, tenant: &Person) -> Result<()> {
    let url = |path: &str| format!("{}/api/v1{path}", board.url());
    for cookie in ["", "koupleless-board=wrong", "koupleless-board=a b"] {
        let (answer, _) = http::request("GET", &url("/plans"), &[("cookie", cookie)], None, LIMIT)?;
        ensure!(
            answer.status == 401 && text(&answer.json()?, "/code") == "Unauthorized",
            "{cookie}: {answer:?}"
        );
    }
    let cookie = ("cookie", tenant.cookie.as_str());
    let foreign = [
        &[cookie, JSON][..],
        &[cookie, JSON, OWN_PAGE, ("origin", "http://evil.example")],
        &[cookie, JSON, OWN_PAGE, ("sec-fetch-site", "cross-site")],
    ];
    for headers in foreign {
        let (answer, _) = http::request("POST", &url("/plans/x/y/abort"), headers, Some(&json!({})), LIMIT)?;
        ensure!(
            answer.status == 403 && text(&answer.json()?, "/code") == "Foreign",
            "{headers:?}: {answer:?}"
        );
    }
    let page = http::get(&format!("{}/plans/shop/cart-1.2.3", board.url()), LIMIT)?;
    ensure!(page.status == 200 && page.body.contains("<script type=\"module\""), "{page:?}");
    let openapi = http::get(&url("/openapi.json"), LIMIT)?.json()?;
    ensure!(openapi["paths"].as_object().is_some_and(|paths| paths.len() > 12), "{openapi}");
    Ok(())
}

/// One who sees a plan and may not change it.
fn whoever_may_not_is_told(scene: &Scene, admin: &Person) -> Result<()> {
    let path = format!("/plans/{}/p", scene.namespace);
    let detail = admin.get(&path)?;
    let actions = detail["actions"].as_array().cloned().unwrap_or_default();
    let names: Vec<&str> = actions.iter().map(|action| text(action, "/name")).collect();
    ensure!(names == ["confirm", "pause", "resume", "retry", "abort"], "{names:?}");
    ensure!(
        actions.iter().all(|action| action["enabled"] == false && action["reason"].is_string()),
        "{detail}"
    );
    let number = &detail["plan"]["confirmable"];
    for (action, wish) in
        [("pause", json!({})), ("confirm", json!({ "number": number })), ("abort", json!({}))]
    {
        let told = admin.steer(&format!("{path}/{action}"), &wish)?;
        ensure!(told == (403, "Forbidden".to_owned()), "{action}: {told:?}");
    }
    let plan = scene.cluster.kubectl_json(&["-n", &scene.namespace, "get", "plan", "p"])?;
    ensure!(plan["spec"]["paused"].is_null() && plan["spec"]["stop"].is_null(), "{}", plan["spec"]);
    Ok(())
}

fn a_confirmation_that_is_stale_is_refused(scene: &Scene, tenant: &Person) -> Result<()> {
    let path = format!("/plans/{}/p", scene.namespace);
    let detail = tenant.get(&path)?;
    let number = detail["plan"]["confirmable"].as_u64().context("nothing to confirm")?;
    ensure!(
        text(&detail, "/undo") == format!("kubectl rollout undo deployment/biz1 -n {}", scene.namespace),
        "{detail}"
    );
    ensure!(text(&detail, "/previewProblem").starts_with("you do not see Nodes"), "{detail}");
    let stale = tenant.steer(&format!("{path}/confirm"), &json!({ "number": number + 1 }))?;
    ensure!(stale == (409, "StaleConfirmation".to_owned()), "{stale:?}");
    let none = tenant.steer(&format!("{path}/confirm"), &json!({}))?;
    ensure!(none == (422, "Invalid".to_owned()), "{none:?}");
    let early = tenant.steer(&format!("{path}/retry?lang=zh"), &json!({}))?;
    ensure!(early == (422, "NotNow".to_owned()), "{early:?}");
    let another = tenant.steer(&format!("{path}/confirm"), &json!({ "number": number, "uid": "another" }))?;
    ensure!(another == (409, "Changed".to_owned()), "{another:?}");
    let seen = json!({ "number": number, "uid": detail["uid"] });
    let done = tenant.steer(&format!("{path}/confirm"), &seen)?;
    ensure!(done.0 == 200, "{done:?}");
    wait_phase(scene, "p", "Succeeded")?;
    let over = tenant.steer(&format!("{path}/abort"), &json!({}))?;
    ensure!(over == (422, "NotNow".to_owned()), "{over:?}");
    Ok(())
}

#[test]
fn a_proxy_may_give_the_token_and_then_nobody_logs_in() -> Result<()> {
    let scene = Scene::start(Way::Http, &[])?;
    let board = Board::start(&scene.cluster, &["--token-header", "X-Forwarded-Access-Token"])?;
    person(&scene, "admin", &[])?;
    sees_all(&scene, "admin")?;
    let token = token(&scene, "admin")?;
    let bearer = format!("Bearer {token}");
    let url = format!("{}/api/v1/session", board.url());
    for value in [&token, &bearer] {
        let headers = [("x-forwarded-access-token", value.as_str())];
        let (answer, _) = http::request("GET", &url, &headers, None, LIMIT)?;
        let session = answer.json()?;
        let user = format!("system:serviceaccount:{}:admin", scene.namespace);
        ensure!(answer.status == 200 && session["user"] == user.as_str(), "{answer:?}");
        ensure!(session["proxied"] == true && !answer.body.contains(&token), "{answer:?}");
    }
    // The API server verifies it, as it does for kubectl.
    let forged = [("x-forwarded-access-token", "forged.to.ken")];
    let (answer, _) = http::request("GET", &url, &forged, None, LIMIT)?;
    ensure!(answer.status == 401, "{answer:?}");
    Ok(())
}
