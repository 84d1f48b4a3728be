console.log(JSON.stringify({ answer: 40 + 2, version: Deno.version.deno }));
