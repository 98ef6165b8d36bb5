// A module: it answers requests, and says how it is.
addEventListener("fetch", (event) => {
  const { pathname } = new URL(event.request.url);
  if (pathname === "/who") {
    event.respondWith(Response.json({ name: "hello-js", version: "1.0.0" }));
  } else if (pathname === "/actuator/health") {
    event.respondWith(Response.json({ status: "UP" }));
  } else {
    event.respondWith(new Response("not found\n", { status: 404 }));
  }
});
