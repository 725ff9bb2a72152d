"""Reads what Helm rendered: YAML in, objects out, and what Kubernetes' own schemas say against them.

Standard input: {"name": {"yaml": "…", "versions": ["1.28", "1.37"]}}.
Standard output: {"name": {"objects": […], "problems": ["…"]}}.
"""

import json
import sys

import kubernetes_validate
import yaml

# Kinds that Kubernetes does not know by itself; the lint looks at them.
CUSTOM = ("monitoring.coreos.com/", "gateway.networking.k8s.io/")


class Strict(yaml.SafeLoader):
    """YAML in which a key that comes twice is an error, as it is to Kubernetes."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"key {key!r} comes twice", node.start_mark)
        return super().construct_mapping(node, deep)


def check(text, versions):
    try:
        objects = [found for found in yaml.load_all(text, Strict) if found]
    except yaml.YAMLError as error:
        return [], [f"not YAML: {error}"]
    problems = []
    for found in objects:
        if found.get("apiVersion", "").startswith(CUSTOM):
            continue
        for version in versions:
            name = f"{found['kind']} {found['metadata']['name']} in Kubernetes {version}"
            try:
                used = kubernetes_validate.validate(found, version, strict=True)
                if used != version:
                    problems.append(f"{name}: there is no schema of that version, only {used}")
            except kubernetes_validate.SchemaNotFoundError:
                problems.append(f"{name}: there is no such kind")
            except kubernetes_validate.ValidationError as error:
                problems.append(f"{name}: {error.message} at {list(error.path)}")
    return objects, problems


answers = {}
for name, case in json.load(sys.stdin).items():
    objects, problems = check(case["yaml"], case["versions"])
    answers[name] = {"objects": objects, "problems": problems}
json.dump(answers, sys.stdout)
