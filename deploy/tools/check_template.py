"""Checks template.yaml without an account.

Expands it as SAM does, lints the result, and creates the stack at a local imitation of
CloudFormation. Prints what the stack consists of as JSON.
"""

import io
import json
import os
import re
import subprocess
import sys
import tempfile
import zipfile

REGION = "us-east-1"
BUCKET = "farebox-artifacts"
os.environ.update(
    AWS_ACCESS_KEY_ID="local",
    AWS_SECRET_ACCESS_KEY="local",
    AWS_DEFAULT_REGION=REGION,
    SAM_CLI_TELEMETRY="0",
)

import boto3  # noqa: E402
from moto import mock_aws  # noqa: E402
from moto.cloudformation.parsing import get_model_map  # noqa: E402
from samtranslator.translator.transform import transform  # noqa: E402
from samtranslator.yaml_helper import yaml_parse  # noqa: E402

# The parameters of a deployment that uses every optional part.
PARAMETERS = {
    "FareboxSecret": "farebox",
    "FareboxSecretKeyArn": f"arn:aws:kms:{REGION}:123456789012:key/of-the-secret",
    "ReservedConcurrency": "20",
    "AlarmEmail": "ops@example.com",
    "SubnetIds": "subnet-1,subnet-2",
    "SecurityGroupIds": "sg-1",
    "Tracing": "true",
    "LogLevel": "warn",
}


class NoManagedPolicies:
    """The template names its managed policies by ARN."""

    def load(self):
        return {}


def expanded(path):
    with open(path, encoding="utf-8") as file:
        template = yaml_parse(file)
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = {"Bucket": BUCKET, "Key": "function.zip"}
    defaults = {
        name: parameter["Default"]
        for name, parameter in template["Parameters"].items()
        if "Default" in parameter
    }
    return transform(template, defaults, NoManagedPolicies())


def lint(path):
    linter = os.path.join(os.path.dirname(sys.executable), "cfn-lint")
    found = subprocess.run(
        [linter, "--format", "parseable", "--regions", REGION, "--", path],
        capture_output=True,
        text=True,
        check=False,
    )
    return [line for line in (found.stdout + found.stderr).splitlines() if line]


def refers_to(part, names):
    text = json.dumps(part)
    return any(re.search(rf'"{name}"|\${{{name}[.}}]', text) for name in names)


def imitable(template):
    """The template without the resources that the imitation lacks, and their types."""
    lacking = {
        name: resource["Type"]
        for name, resource in template["Resources"].items()
        if resource["Type"] not in get_model_map()
    }
    parts = {
        section: {
            name: part
            for name, part in template[section].items()
            if name not in lacking and not refers_to(part, lacking)
        }
        for section in ("Resources", "Outputs")
    }
    return {**template, **parts}, sorted(set(lacking.values()))


@mock_aws
def created(template, parameters):
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("bootstrap", "")
    storage = boto3.client("s3")
    storage.create_bucket(Bucket=BUCKET)
    storage.put_object(Bucket=BUCKET, Key="function.zip", Body=code.getvalue())
    formation = boto3.client("cloudformation")
    formation.create_stack(
        StackName="farebox",
        TemplateBody=json.dumps(template),
        Parameters=[
            {"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()
        ],
        Capabilities=["CAPABILITY_IAM"],
    )
    stack = formation.describe_stacks(StackName="farebox")["Stacks"][0]
    return {
        "status": stack["StackStatus"],
        "functions": [
            {
                "name": function["FunctionName"],
                "memory": function["MemorySize"],
                "timeout": function["Timeout"],
            }
            for function in boto3.client("lambda").list_functions()["Functions"]
        ],
    }


def main(path):
    template = expanded(path)
    with tempfile.NamedTemporaryFile("w", suffix=".json", delete=False) as file:
        json.dump(template, file, indent=1)
    try:
        problems = lint(file.name)
    finally:
        os.unlink(file.name)
    created_part, not_imitated = imitable(template)
    stacks = [created(created_part, parameters) for parameters in ({}, PARAMETERS)]
    found = {
        "problems": problems,
        "resources": template["Resources"],
        "stacks": stacks,
        "not_imitated": not_imitated,
    }
    json.dump(found, sys.stdout)


main(sys.argv[1])
