"""What is known of pinned packages: pip-audit asks a database of vulnerabilities: `make audit`."""

import argparse
import json
import subprocess
import sys

FOUND, NOT_ASKED = 1, 2


def main() -> int:
    """Look the packages of requirement files up, and print what is known of them.

    Returns:
        0: nothing is known; FOUND: something is; NOT_ASKED: no database answered for all of them.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", help="requirement files with hashes")
    parser.add_argument("--osv", metavar="URL", help="ask this server of OSV's API, not PyPI's")
    given = parser.parse_args()
    words = ["--strict", "--require-hashes", "--disable-pip", "--progress-spinner=off"]
    words += ["--format=json", *(f"--requirement={file}" for file in given.files)]
    words += ["--vulnerability-service=osv", f"--osv-url={given.osv}"] if given.osv else []
    command = [sys.executable, "-m", "pip_audit", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if not done.stdout.strip():
        why = (done.stderr.strip().splitlines() or ["pip-audit says nothing"])[-1]
        print(f"No database of vulnerabilities answered, so nothing was audited: {why}")
        return NOT_ASKED
    packages = json.loads(done.stdout)["dependencies"]
    found = [(one, hole) for one in packages for hole in one["vulns"]]
    for one, hole in found:
        fixed = ", ".join(hole["fix_versions"]) or "no version"
        print(f"{one['name']} {one['version']}: {hole['id']}, fixed in {fixed}")
        print(f"  {hole['description'].splitlines()[0]}")
    print(f"{len(packages)} packages audited, {len(found)} known vulnerabilities.")
    return FOUND if found else 0


if __name__ == "__main__":
    sys.exit(main())
