import { Playground } from "/tmp/wt/sides/src/playground/playground.ts";
import { launch, must } from "/tmp/wt/sides/test/e2e/cluster.ts";
import { loadavg } from "node:os";
const p = await Playground.up({ name: "sidesp", hosts: 2, binary: "/tmp/wt/sides/dist/hansa" });
try {
  await launch(p.host(1), 1);
  await must(p.host(2), "docker", "network", "create", "hansa");
  for (const h of p.hosts()) await must(h, "sh", "-c", `for i in $(seq 20); do docker run -d --restart always --network hansa --name web$i busybox sleep 100000 || exit 1; done`);
  for (let r = 0; r < 3; r++) for (const n of [1, 2]) {
    const h = p.host(n);
    await h.kill();
    const t0 = performance.now();
    await h.boot({ dockerMs: 0 });
    const t1 = performance.now();
    await h.waitForDocker(120000);
    const t2 = performance.now();
    const up = await must(h, "sh", "-c", "docker ps -q | wc -l");
    console.log(n === 1 ? "hansa" : "plain", "on", ((t1 - t0) / 1000).toFixed(1), "docker", ((t2 - t0) / 1000).toFixed(1), "running", up, "load", loadavg()[0]);
  }
  const h = p.host(1);
  console.log(await must(h, "sh", "-c", "tail -n 60 /var/log/dockerd.log | cut -c1-200; tail -5 /var/log/hansa-boot.log; ls /var/lib/hansa/log; tail -n 5 /var/lib/hansa/log/ipam-plugin.log"));
} finally { await p.down(); }
