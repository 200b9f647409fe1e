"""Makes an estate real through AWS's own API, over HTTP. What is not described is clean."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.request import Request, urlopen

import boto3

from tests.cloud.estate import Entry, Estate, Expected
from tests.cloud.model_server import RECORDS
from tests.cloud.moto_fidelity import ACCOUNT
from tests.cloud.seed_network import Network, build
from tests.cloud.texts import (
    basic,
    clean_trust,
    document,
    enhanced,
    manifest,
    own_key_statement,
    statement,
    tags,
)

__all__ = ["Seeded", "seed"]

_FLAGS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
_DEEP_LEARNING_AMI = "Deep Learning OSS Nvidia Driver AMI GPU PyTorch 2.8 (Ubuntu 22.04) 20261101"
_MAIN = "main"
"""The network that everything is in unless told otherwise."""
_OWNER = tags({"owner": "ml"})
_CREDENTIALS = {"aws_access_key_id": "seed", "aws_secret_access_key": "seed"}


@dataclass(slots=True)
class Seeded:
    """A seeded estate."""

    estate: Estate
    names: dict[str, str] = field(default_factory=dict)
    """What only AWS could decide: ``key:us-east-1:ml`` → key id."""

    @property
    def expected(self) -> frozenset[Expected]:
        """Every finding that a scan must report, on names as a scan shows them."""
        return self.estate.expected(self.names)


def seed(endpoint: str, estate: Estate) -> Seeded:
    """Create everything in ``estate`` at ``endpoint``."""
    builder = _Builder(endpoint, Seeded(estate))
    for make in builder.steps():
        make()
    return builder.seeded


class _Builder:
    def __init__(self, endpoint: str, seeded: Seeded) -> None:
        self.seeded = seeded
        self._endpoint = endpoint
        self._estate = seeded.estate
        self._clients: dict[tuple[str, str], Any] = {}
        self._digests: dict[tuple[str, str], str] = {}
        self._networks: dict[tuple[str, str], Network] = {}
        self._groups: dict[tuple[str, str], str] = {}
        self._amis: dict[str, str] = {}

    def steps(self) -> list[Callable[[], None]]:
        sections: dict[str, Callable[[Entry], None]] = {
            "keys": self._key,
            "networks": self._network,
            "groups": self._group,
            "roles": self._role,
            "buckets": self._bucket,
            "repositories": self._repository,
            "scripts": self._script,
            "notebooks": self._notebook,
            "domains": self._domain,
            "endpoints": self._endpoint_stack,
            "training_jobs": self._training_job,
            "instances": self._instance,
            "containers": self._container,
        }

        def every(section: str) -> Callable[[], None]:
            def make() -> None:
                for entry in self._estate[section]:
                    sections[section](entry)

            return make

        return [self._regions, *(every(section) for section in sections), self._registries]

    def _client(self, service: str, region: str = "us-east-1") -> Any:
        known = self._clients.get((service, region))
        if known is None:
            make = cast("Any", boto3.client)
            known = self._clients[service, region] = make(
                service, region_name=region, endpoint_url=self._endpoint, **_CREDENTIALS
            )
        return known

    def _client_of(self, account: str, service: str, region: str) -> Any:
        """A client that signs in as another account."""
        role = f"arn:aws:iam::{account}:role/stranger"
        assumed = self._client("sts").assume_role(RoleArn=role, RoleSessionName="stranger")
        make = cast("Any", boto3.client)
        return make(
            service,
            region_name=region,
            endpoint_url=self._endpoint,
            aws_access_key_id=assumed["Credentials"]["AccessKeyId"],
            aws_secret_access_key=assumed["Credentials"]["SecretAccessKey"],
            aws_session_token=assumed["Credentials"]["SessionToken"],
        )

    # What everything stands on.

    def _regions(self) -> None:
        for region in self._estate.regions:
            self._network(Entry(_MAIN, region, {}))
            self._watched_over(region)

    def _network(self, entry: Entry) -> None:
        built = build(self._client("ec2", entry.region), entry)
        self._networks[entry.region, entry.name] = built

    def _watched_over(self, region: str) -> None:
        """What a well-kept account has in every region."""
        self._client("guardduty", region).create_detector(Enable=True)
        on = {"status": "ENABLED"}
        state = dict.fromkeys(("ec2", "ecr", "lambda"), on)
        inspector = {"accountId": ACCOUNT, "state": on, "resourceState": state}
        self._record("inspector2", "AccountStatus", region, inspector)
        self._record("macie2", "MacieSession", region, {"status": "ENABLED"})
        discovery = {"status": "ENABLED"}
        self._record("macie2", "AutomatedDiscoveryConfiguration", region, discovery)
        standard = f"arn:aws:securityhub:{region}::standards/ai-security-best-practices/v/1.0.0"
        self._record("securityhub", "EnabledStandard", region, {"StandardsArn": standard})
        plain = {entry.region for entry in self._estate["regions"] if entry.get("unregistered")}
        if region not in plain:
            package = {"ModelPackageName": "approved", "ModelApprovalStatus": "Approved"}
            self._record("sagemaker", "ModelPackage", region, package)
        arn = f"arn:aws:cloudtrail:{region}:{ACCOUNT}:trail/everything"
        trail = {"TrailARN": arn, "Name": "everything", "IsMultiRegionTrail": True}
        self._record("cloudtrail", "Trail", region, trail)
        self._record("cloudtrail", "TrailStatus", region, {"IsLogging": True}, arn)
        asked = {"Field": "resources.type", "Equals": ["AWS::Bedrock::Model"]}
        managed = {"Field": "eventCategory", "Equals": ["Management"]}
        selectors: list[dict[str, Any]] = [{"FieldSelectors": [f]} for f in (managed, asked)]
        objects = {"Field": "resources.type", "Equals": ["AWS::S3::Object"]}
        left_out = {"Field": "resources.ARN", "NotStartsWith": ["arn:aws:s3:::ml-unwatched"]}
        selectors.append({"FieldSelectors": [objects, left_out]})
        chosen = {"TrailARN": arn, "AdvancedEventSelectors": selectors}
        self._record("cloudtrail", "EventSelector", region, chosen)

    def _key(self, entry: Entry) -> None:
        kms = self._client("kms", entry.region)
        statements = [own_key_statement()]
        if principal := entry.get("principal"):
            who = principal if principal == "*" else {"AWS": principal}
            statements.append(statement(Principal=who, Action="kms:Decrypt", Resource="*"))
        key = kms.create_key(Policy=document(*statements))["KeyMetadata"]["KeyId"]
        kms.enable_key_rotation(KeyId=key)
        kms.create_alias(AliasName=f"alias/{entry.name}", TargetKeyId=key)
        self.seeded.names[f"key:{entry.region}:{entry.name}"] = key

    def _group(self, entry: Entry) -> None:
        ec2 = self._client("ec2", entry.region)
        group = ec2.create_security_group(
            GroupName=entry.name,
            Description=entry.get("description", "for AI services"),
            VpcId=self._network_of(entry).vpc,
        )["GroupId"]
        for port in entry.get("ingress", ()):
            ec2.authorize_security_group_ingress(
                GroupId=group, IpProtocol="tcp", FromPort=port, ToPort=port, CidrIp="0.0.0.0/0"
            )
        self._groups[entry.region, entry.name] = group

    def _role(self, entry: Entry) -> None:
        iam = self._client("iam")
        more = {}
        if boundary := entry.get("boundary", [{"Action": "*", "Resource": "*"}]):
            limit = document(*(statement(**fields) for fields in boundary))
            policy = iam.create_policy(PolicyName=f"{entry.name}-limit", PolicyDocument=limit)
            more["PermissionsBoundary"] = policy["Policy"]["Arn"]
        iam.create_role(
            RoleName=entry.name,
            Description=entry.get("description", ""),
            AssumeRolePolicyDocument=document(entry.get("trust") or clean_trust()),
            **more,
        )
        for policy in entry.get("attach", ()):
            iam.attach_role_policy(
                RoleName=entry.name, PolicyArn=f"arn:aws:iam::aws:policy/{policy}"
            )
        if allowed := entry.get("allow"):
            rights = document(*(statement(**fields) for fields in allowed))
            iam.put_role_policy(RoleName=entry.name, PolicyName="work", PolicyDocument=rights)
        iam.create_instance_profile(InstanceProfileName=entry.name)
        iam.add_role_to_instance_profile(InstanceProfileName=entry.name, RoleName=entry.name)

    def _bucket(self, entry: Entry) -> None:
        if entry.get("exists") is False:
            return
        s3, name = self._client("s3", entry.region), entry.name
        if owner := entry.get("owner"):
            s3 = self._client_of(owner, "s3", entry.region)
        where = {"LocationConstraint": entry.region}
        more = {} if entry.region == "us-east-1" else {"CreateBucketConfiguration": where}
        s3.create_bucket(Bucket=name, **more)
        if entry.get("owner"):
            return
        if entry.get("block", True):
            s3.put_public_access_block(
                Bucket=name, PublicAccessBlockConfiguration=dict.fromkeys(_FLAGS, True)
            )
        controls = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
        s3.put_bucket_ownership_controls(Bucket=name, OwnershipControls=controls)
        encryption = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": self._key_arn(entry)}
        rules = [{"ApplyServerSideEncryptionByDefault": encryption}]
        s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": rules})
        if entry.get("versioning", True):
            s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        for key in entry.get("objects", ()):
            s3.put_object(Bucket=name, Key=key, Body=b"weights")
        resource = [f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"]
        statements = [] if entry.get("tls") is False else [_no_plain_http(resource)]
        if policy := entry.get("policy"):
            statements.append(statement(Resource=resource, **policy))
        if statements:
            s3.put_bucket_policy(Bucket=name, Policy=document(*statements))
        if labels := entry.get("tags"):
            s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": tags(labels)})

    def _repository(self, entry: Entry) -> None:
        ecr, name = self._client("ecr", entry.region), entry.name
        clean = {
            "imageTagMutability": "IMMUTABLE",
            "imageScanningConfiguration": {"scanOnPush": True},
            "encryptionConfiguration": {"encryptionType": "KMS", "kmsKey": self._key_arn(entry)},
        }
        ecr.create_repository(repositoryName=name, **entry.request(clean))
        if policy := entry.get("policy"):
            ecr.set_repository_policy(repositoryName=name, policyText=document(statement(**policy)))
        for image in entry.get("images", ()):
            self._image(entry, image)

    def _registries(self) -> None:
        """Every registry scans thoroughly and signs, unless it is described otherwise."""
        plain = {entry.region for entry in self._estate["registries"] if entry.get("plain")}
        filters = [{"filter": "*", "filterType": "WILDCARD"}]
        rules = [{"scanFrequency": "SCAN_ON_PUSH", "repositoryFilters": filters}]
        profile = f"arn:aws:signer:us-east-1:{ACCOUNT}:/signing-profiles/images"
        signing = {"signingConfiguration": {"rules": [{"signingProfileArn": profile}]}}
        for region in set(self._estate.regions) - plain:
            self._client("ecr", region).put_registry_scanning_configuration(
                scanType="ENHANCED", rules=rules
            )
            self._record("ecr", "SigningConfiguration", region, signing)
        for entry in self._estate["repositories"]:
            status = "FAILED" if entry.get("signed") is False else "COMPLETE"
            said = {
                "registryId": ACCOUNT,
                "repositoryName": entry.name,
                "signingStatuses": [{"signingProfileArn": profile, "status": status}],
            }
            self._record("ecr", "ImageSigningStatus", entry.region, said)

    def _image(self, entry: Entry, image: Mapping[str, Any]) -> None:
        ecr = self._client("ecr", entry.region)
        pushed = ecr.put_image(
            repositoryName=entry.name,
            imageTag=image["tag"],
            imageManifest=manifest(f"{entry.region}/{entry.name}:{image['tag']}"),
        )
        digest = pushed["image"]["imageId"]["imageDigest"]
        self._digests[entry.region, entry.name] = digest
        if image.get("scanned") is False:
            return
        ecr.start_image_scan(repositoryName=entry.name, imageId={"imageDigest": digest})
        findings: dict[str, Any] = {"imageScanCompletedAt": int(time.time())}
        if "enhanced" in image:
            findings["enhancedFindings"] = [enhanced(each) for each in image["enhanced"]]
        else:
            findings["findings"] = [basic(each) for each in image.get("findings", ())]
        result = {
            "repositoryName": entry.name,
            "imageId": {"imageDigest": digest},
            "imageScanStatus": {"status": "ACTIVE" if "enhanced" in image else "COMPLETE"},
            "imageScanFindings": findings,
        }
        body = {"account_id": ACCOUNT, "region": entry.region, "results": [result]}
        url = f"{self._endpoint}/moto-api/static/ecr/scan-finding-results"
        urlopen(Request(url, json.dumps(body).encode(), method="POST")).close()

    # The services.

    def _script(self, entry: Entry) -> None:
        content = base64.b64encode(str(entry.get("start")).encode()).decode()
        self._client("sagemaker", entry.region).create_notebook_instance_lifecycle_config(
            NotebookInstanceLifecycleConfigName=entry.name, OnStart=[{"Content": content}]
        )

    def _notebook(self, entry: Entry) -> None:
        clean = {
            "InstanceType": "ml.t3.medium",
            "RoleArn": _role_arn(entry),
            "SubnetId": self._network_of(entry).subnet,
            "SecurityGroupIds": [self._group_id(entry)],
            "KmsKeyId": self._key_arn(entry),
            "DirectInternetAccess": "Disabled",
            "RootAccess": "Disabled",
            "PlatformIdentifier": "notebook-al2023-v1",
            "InstanceMetadataServiceConfiguration": {"MinimumInstanceMetadataServiceVersion": "2"},
            "LifecycleConfigName": entry.get("script"),
            "Tags": tags({"owner": "[bold red]x[/]\x1b[31m=cmd()"}),
        }
        self._client("sagemaker", entry.region).create_notebook_instance(
            NotebookInstanceName=entry.name, **entry.request(clean)
        )

    def _domain(self, entry: Entry) -> None:
        sagemaker = self._client("sagemaker", entry.region)
        settings = {"ExecutionRole": _role_arn(entry), "SecurityGroups": [self._group_id(entry)]}
        clean = {
            "AuthMode": "SSO",
            "AppNetworkAccessType": "VpcOnly",
            "VpcId": self._network_of(entry).vpc,
            "SubnetIds": [self._network_of(entry).subnet],
            "KmsKeyId": self._key_arn(entry),
            "DefaultUserSettings": settings,
            "DomainSettings": {"ExecutionRoleIdentityConfig": "USER_PROFILE_NAME"},
            "Tags": _OWNER,
        }
        made = sagemaker.create_domain(DomainName=entry.name, **entry.request(clean))
        domain = made["DomainArn"].rpartition("/")[2]
        for number in range(entry.get("users", 0)):
            sagemaker.create_user_profile(
                DomainId=domain, UserProfileName=f"{entry.name}-user-{number + 1}"
            )

    def _endpoint_stack(self, entry: Entry) -> None:
        sagemaker = self._client("sagemaker", entry.region)
        model, config = f"{entry.name}-model", f"{entry.name}-config"
        source = {
            "S3DataType": "S3Prefix",
            "CompressionType": "None",
            "S3Uri": f"s3://{self._bucket_name(entry)}/models/{entry.name}/",
        }
        container = {
            "Image": self._image_ref(entry),
            "ImageConfig": {"RepositoryAccessMode": "Vpc"},
            "ModelDataSource": {"S3DataSource": source},
            "Environment": entry.get("environment", {"LOG_LEVEL": "info"}),
        }
        clean_model = {
            "PrimaryContainer": container,
            "ExecutionRoleArn": _role_arn(entry),
            "EnableNetworkIsolation": True,
            "VpcConfig": self._vpc(entry),
        }
        sagemaker.create_model(ModelName=model, **entry.request(clean_model, "model_set"))
        variant = entry.request(
            {
                "VariantName": "main",
                "ModelName": model,
                "InstanceType": "ml.m5.xlarge",
                "InitialInstanceCount": 2,
            },
            "variant_set",
        )
        key = self._key_arn(entry)
        capture = {
            "EnableCapture": True,
            "InitialSamplingPercentage": 10,
            "DestinationS3Uri": "s3://ml-clean-capture/",
            "KmsKeyId": key,
            "CaptureOptions": [{"CaptureMode": "Input"}],
        }
        clean_config = {
            "ProductionVariants": [variant],
            "KmsKeyId": key,
            "DataCaptureConfig": capture,
        }
        sagemaker.create_endpoint_config(
            EndpointConfigName=config, **entry.request(clean_config, "config_set")
        )
        owner = [] if entry.get("untagged") else _OWNER
        sagemaker.create_endpoint(EndpointName=entry.name, EndpointConfigName=config, Tags=owner)
        # moto has no monitoring schedules: the model-driven cloud before it is told of one.
        watched = {
            "MonitoringScheduleName": f"{entry.name}-watch",
            "MonitoringScheduleStatus": "Scheduled",
            "EndpointName": entry.name,
            "MonitoringScheduleConfig": {"MonitoringJobDefinitionName": f"{entry.name}-watch"},
        }
        self._record("sagemaker", "MonitoringSchedule", entry.region, watched)

    def _record(
        self, service: str, noun: str, region: str, members: dict[str, Any], of: str = ""
    ) -> None:
        under = {"of": of} if of else {}
        body = json.dumps([[service, noun, region, members, under]]).encode()
        with urlopen(Request(f"{self._endpoint}{RECORDS}", data=body, method="POST")):
            pass

    def _training_job(self, entry: Entry) -> None:
        key, bucket = self._key_arn(entry), self._bucket_name(entry)
        source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{bucket}/train/"}
        clean = {
            "AlgorithmSpecification": {
                "TrainingImage": self._image_ref(entry),
                "TrainingInputMode": "File",
            },
            "RoleArn": _role_arn(entry),
            "InputDataConfig": [{"ChannelName": "train", "DataSource": {"S3DataSource": source}}],
            "OutputDataConfig": {"S3OutputPath": "s3://ml-clean-data/out/", "KmsKeyId": key},
            "ResourceConfig": {
                "InstanceType": "ml.m5.xlarge",
                "InstanceCount": 1,
                "VolumeSizeInGB": 50,
                "VolumeKmsKeyId": key,
            },
            "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
            "VpcConfig": self._vpc(entry),
            "EnableNetworkIsolation": True,
            "EnableInterContainerTrafficEncryption": True,
            "Environment": {"EPOCHS": "3"},
        }
        self._client("sagemaker", entry.region).create_training_job(
            TrainingJobName=entry.name, **entry.request(clean)
        )

    def _instance(self, entry: Entry) -> None:
        ec2 = self._client("ec2", entry.region)
        interface = {
            "DeviceIndex": 0,
            "SubnetId": self._network_of(entry).subnet,
            "Groups": [self._group_id(entry)],
            "AssociatePublicIpAddress": bool(entry.get("public_ip")),
        }
        volume = {"VolumeSize": 100, "Encrypted": True, "KmsKeyId": self._key_arn(entry)}
        disk = {"DeviceName": "/dev/sda1", "Ebs": volume}
        clean = {
            "InstanceType": "g5.xlarge",
            "MetadataOptions": {"HttpTokens": "required", "HttpEndpoint": "enabled"},
        }
        made = ec2.run_instances(
            ImageId=self._ami(entry.region),
            MinCount=1,
            MaxCount=1,
            NetworkInterfaces=[interface],
            BlockDeviceMappings=[disk],
            IamInstanceProfile={"Name": entry.get("role", "ml-clean")},
            TagSpecifications=[
                {
                    "ResourceType": kind,
                    "Tags": tags({"Name": f"{entry.name}{suffix}", "team": "ml"}),
                }
                for kind, suffix in (("instance", ""), ("volume", "-disk"))
            ],
            **entry.request(clean),
        )["Instances"][0]
        status = {"statusCode": "ACTIVE", "reason": "SUCCESSFUL"}
        covered = {"resourceId": made["InstanceId"], "scanType": "PACKAGE", "scanStatus": status}
        self._record("inspector2", "Coverage", entry.region, covered)
        if entry.get("public_snapshot"):
            volume = made["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
            ec2.modify_snapshot_attribute(
                SnapshotId=ec2.create_snapshot(VolumeId=volume)["SnapshotId"],
                Attribute="createVolumePermission",
                OperationType="add",
                GroupNames=["all"],
            )

    def _container(self, entry: Entry) -> None:
        ecs = self._client("ecs", entry.region)
        ecs.create_cluster(clusterName="ml")
        container = entry.request(
            {
                "name": "serve",
                "image": self._image_ref(entry),
                "user": "1000",
                "readonlyRootFilesystem": True,
                "environment": [{"name": "MODEL_ID", "value": "ranking"}],
            },
            "container_set",
        )
        definition = {
            "family": f"{entry.name}-task",
            "networkMode": "awsvpc",
            "requiresCompatibilities": ["FARGATE"],
            "cpu": "1024",
            "memory": "4096",
            "taskRoleArn": _role_arn(entry),
            "executionRoleArn": f"arn:aws:iam::{ACCOUNT}:role/ml-clean",
            "containerDefinitions": [container],
        }
        made = ecs.register_task_definition(**entry.request(definition, "task_set"))
        network = {
            "subnets": [self._network_of(entry).subnet],
            "securityGroups": [self._group_id(entry)],
            "assignPublicIp": "ENABLED" if entry.get("public_ip") else "DISABLED",
        }
        before = {"loadBalancers": self._balancer(entry)} if entry.get("balancer") else {}
        ecs.create_service(
            **before,
            cluster="ml",
            serviceName=entry.name,
            taskDefinition=made["taskDefinition"]["taskDefinitionArn"],
            launchType="FARGATE",
            desiredCount=2,
            tags=[{"key": "team", "value": "ml"}],
            networkConfiguration={"awsvpcConfiguration": network},
        )

    def _balancer(self, entry: Entry) -> list[dict[str, Any]]:
        """A load balancer that faces the internet, before a container."""
        elb, network = self._client("elbv2", entry.region), self._network_of(entry)
        group = elb.create_target_group(
            Name=f"{entry.name}-targets",
            Protocol="TCP",
            Port=8080,
            VpcId=network.vpc,
            TargetType="ip",
        )["TargetGroups"][0]["TargetGroupArn"]
        made = elb.create_load_balancer(
            Name=entry.name, Type="network", Scheme="internet-facing", Subnets=[network.subnet]
        )["LoadBalancers"][0]["LoadBalancerArn"]
        forward = {"Type": "forward", "TargetGroupArn": group}
        elb.create_listener(
            LoadBalancerArn=made, Protocol="TCP", Port=443, DefaultActions=[forward]
        )
        return [{"targetGroupArn": group, "containerName": "serve", "containerPort": 8080}]

    # References between entries.

    def _ami(self, region: str) -> str:
        if region not in self._amis:
            made = self._client("ec2", region).register_image(Name=_DEEP_LEARNING_AMI)
            self._amis[region] = made["ImageId"]
        return self._amis[region]

    def _key_arn(self, entry: Entry) -> str:
        key = self.seeded.names[f"key:{entry.region}:{entry.get('key', 'ml')}"]
        return f"arn:aws:kms:{entry.region}:{ACCOUNT}:key/{key}"

    def _network_of(self, entry: Entry) -> Network:
        return self._networks[entry.region, entry.get("network", _MAIN)]

    def _group_id(self, entry: Entry) -> str:
        return self._groups[entry.region, entry.get("group", "closed")]

    def _vpc(self, entry: Entry) -> dict[str, list[str]]:
        return {
            "Subnets": [self._network_of(entry).subnet],
            "SecurityGroupIds": [self._group_id(entry)],
        }

    def _bucket_name(self, entry: Entry) -> str:
        local = "ml-clean-data" if entry.region == "us-east-1" else "ml-clean-models"
        return str(entry.get("bucket", local))

    def _image_ref(self, entry: Entry) -> str:
        name, _, tag = str(entry.get("image", "team/clean")).partition(":")
        digest = self._digests.get((entry.region, name))
        if digest is None:
            return f"{name}:{tag}" if tag else name
        registry = f"{ACCOUNT}.dkr.ecr.{entry.region}.amazonaws.com"
        return f"{registry}/{name}:{tag}" if tag else f"{registry}/{name}@{digest}"


def _no_plain_http(resource: list[str]) -> dict[str, Any]:
    condition = {"Bool": {"aws:SecureTransport": "false"}}
    refusal = statement(Principal="*", Action="s3:*", Resource=resource, Condition=condition)
    return {**refusal, "Effect": "Deny"}


def _role_arn(entry: Entry) -> str:
    return f"arn:aws:iam::{ACCOUNT}:role/{entry.get('role', 'ml-clean')}"
