"""A real Prometheus scrapes a running site, where it is installed."""

import json
import shutil
import subprocess

import pytest
import requests

from tests.site import Site, die_with_parent, eventually, free_port

CONFIG = """
global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: digits
    authorization: {{credentials: a-token}}
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


@pytest.mark.skipif(not shutil.which("prometheus"), reason="Prometheus is not installed here")
def test_prometheus_scrapes_what_the_site_tells(site: Site, seven, tmp_path):
    site.visitor().send(seven)
    config, port = tmp_path / "prometheus.yml", free_port()
    config.write_text(CONFIG.format(port=site.port))
    command = [
        "prometheus",
        f"--config.file={config}",
        f"--storage.tsdb.path={tmp_path / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, preexec_fn=die_with_parent)

    def ask(query: str) -> float | None:
        try:
            answer = requests.get(
                f"http://127.0.0.1:{port}/api/v1/query", params={"query": query}, timeout=10
            )
        except requests.ConnectionError:
            return None
        found = json.loads(answer.text)["data"]["result"] if answer.ok else []
        return float(found[0]["value"][1]) if found else None

    try:
        eventually(lambda: ask('up{job="digits"}') == 1, 60)
        eventually(lambda: (ask('digits_uploads_ended_total{outcome="done"}') or 0) >= 1)
        assert ask("digits_active_version") == 1
        assert ask("digits_worker_version") == 1
        assert ask("sum(scrape_samples_post_metric_relabeling)") > 50
        assert ask("histogram_quantile(1, digits_upload_batch_size_bucket)") >= 1
    finally:
        process.terminate()
        process.wait(30)
