"""Every field that the lower layers' collectors read is in the SDK's own model."""

from __future__ import annotations

from typing import Any

import botocore.session
import pytest

from collectors.aws.guard import READS

FIELDS = {
    ("iam", "GetAccountAuthorizationDetails"): [
        "RoleDetailList[].RoleName",
        "RoleDetailList[].RoleId",
        "RoleDetailList[].Arn",
        "RoleDetailList[].AssumeRolePolicyDocument",
        "RoleDetailList[].RolePolicyList[].PolicyName",
        "RoleDetailList[].RolePolicyList[].PolicyDocument",
        "RoleDetailList[].AttachedManagedPolicies[].PolicyArn",
        "RoleDetailList[].PermissionsBoundary.PermissionsBoundaryArn",
        "RoleDetailList[].RoleLastUsed.LastUsedDate",
        "RoleDetailList[].Tags[].Key",
        "RoleDetailList[].InstanceProfileList",
        "Policies[].Arn",
        "Policies[].PolicyVersionList[].IsDefaultVersion",
        "Policies[].PolicyVersionList[].Document",
        "IsTruncated",
        "Marker",
    ],
    ("iam", "GetRole"): ["Role.PermissionsBoundary", "Role.RoleLastUsed", "Role.Tags"],
    ("iam", "ListRolePolicies"): ["PolicyNames"],
    ("iam", "GetRolePolicy"): ["PolicyDocument"],
    ("iam", "ListAttachedRolePolicies"): ["AttachedPolicies[].PolicyArn"],
    ("iam", "GetPolicy"): ["Policy.DefaultVersionId"],
    ("iam", "GetPolicyVersion"): ["PolicyVersion.Document"],
    ("s3", "ListBuckets"): [
        "Buckets[].Name",
        "Buckets[].BucketRegion",
        "Buckets[].CreationDate",
    ],
    ("s3", "ListObjectsV2"): ["Contents[].Key", "IsTruncated"],
    ("s3", "HeadBucket"): ["BucketRegion"],
    ("s3", "GetBucketLocation"): ["LocationConstraint"],
    ("s3", "GetPublicAccessBlock"): [
        "PublicAccessBlockConfiguration.BlockPublicAcls",
        "PublicAccessBlockConfiguration.IgnorePublicAcls",
        "PublicAccessBlockConfiguration.BlockPublicPolicy",
        "PublicAccessBlockConfiguration.RestrictPublicBuckets",
    ],
    ("s3control", "GetPublicAccessBlock"): [
        "PublicAccessBlockConfiguration.BlockPublicAcls",
        "PublicAccessBlockConfiguration.RestrictPublicBuckets",
    ],
    ("s3", "GetBucketPolicy"): ["Policy"],
    ("s3", "GetBucketPolicyStatus"): ["PolicyStatus.IsPublic"],
    ("s3", "GetBucketAcl"): ["Grants[].Grantee.URI", "Grants[].Permission", "Owner.ID"],
    ("s3", "GetBucketOwnershipControls"): ["OwnershipControls.Rules[].ObjectOwnership"],
    ("s3", "GetBucketEncryption"): [
        "ServerSideEncryptionConfiguration.Rules[].ApplyServerSideEncryptionByDefault.KMSMasterKeyID"
    ],
    ("s3", "GetBucketVersioning"): ["Status"],
    ("s3", "GetBucketLogging"): ["LoggingEnabled.TargetBucket"],
    ("cloudtrail", "DescribeTrails"): ["trailList[].TrailARN"],
    ("cloudtrail", "GetTrailStatus"): ["IsLogging"],
    ("cloudtrail", "GetEventSelectors"): [
        "EventSelectors[].DataResources[].Type",
        "EventSelectors[].DataResources[].Values",
        *(
            f"AdvancedEventSelectors[].FieldSelectors[].{name}"
            for name in ("Field", "Equals", "NotEquals", "StartsWith", "NotStartsWith")
        ),
    ],
    ("s3", "GetBucketReplication"): [
        f"ReplicationConfiguration.{name}"
        for name in (
            "Role",
            "Rules[].Status",
            "Rules[].Destination.Bucket",
            "Rules[].Destination.Account",
        )
    ],
    ("s3", "GetBucketTagging"): ["TagSet[].Key", "TagSet[].Value"],
    ("macie2", "DescribeBuckets"): ["buckets[].bucketName", "buckets[].sensitivityScore"],
    ("kms", "DescribeKey"): [
        "KeyMetadata.Arn",
        "KeyMetadata.KeyManager",
        "KeyMetadata.KeySpec",
        "KeyMetadata.Origin",
        "KeyMetadata.CreationDate",
    ],
    ("kms", "GetKeyPolicy"): ["Policy"],
    ("kms", "GetKeyRotationStatus"): ["KeyRotationEnabled", "RotationPeriodInDays"],
    ("ecr", "DescribeRepositories"): [
        "repositories[].repositoryName",
        "repositories[].repositoryArn",
        "repositories[].createdAt",
        "repositories[].encryptionConfiguration.kmsKey",
        "repositories[].imageTagMutability",
        "repositories[].imageScanningConfiguration.scanOnPush",
    ],
    ("ecr", "GetRepositoryPolicy"): ["policyText"],
    ("ecr", "GetRegistryScanningConfiguration"): ["scanningConfiguration.scanType"],
    ("ecr", "BatchGetRepositoryScanningConfiguration"): [
        "scanningConfigurations[].repositoryName",
        "scanningConfigurations[].scanFrequency",
    ],
    ("ecr", "GetSigningConfiguration"): ["signingConfiguration.rules"],
    ("ecr", "DescribeImageSigningStatus"): ["signingStatuses[].status"],
    ("inspector2", "BatchGetAccountStatus"): ["accounts[].resourceState.ec2.status"],
    ("inspector2", "ListCoverage"): [
        "coveredResources[].resourceId",
        "coveredResources[].scanType",
        "coveredResources[].scanStatus.statusCode",
        "coveredResources[].scanStatus.reason",
    ],
    ("inspector2", "ListFindings"): [
        "findings[].severity",
        "findings[].status",
        "findings[].resources[].id",
        "findings[].packageVulnerabilityDetails.vulnerabilityId",
        "findings[].packageVulnerabilityDetails.vulnerablePackages[].fixedInVersion",
    ],
    ("ecr", "DescribeImages"): ["imageDetails[].imageDigest", "imageDetails[].imagePushedAt"],
    ("ecr", "DescribeImageScanFindings"): [
        "nextToken",
        "imageScanStatus.status",
        "imageScanFindings.imageScanCompletedAt",
        "imageScanFindings.findings[].name",
        "imageScanFindings.findings[].severity",
        "imageScanFindings.findings[].uri",
        "imageScanFindings.findings[].description",
        "imageScanFindings.findings[].attributes[].key",
        "imageScanFindings.enhancedFindings[].status",
        "imageScanFindings.enhancedFindings[].severity",
        "imageScanFindings.enhancedFindings[].score",
        "imageScanFindings.enhancedFindings[].scoreDetails.cvss.score",
        "imageScanFindings.enhancedFindings[].scoreDetails.cvss.scoringVector",
        "imageScanFindings.enhancedFindings[].exploitAvailable",
        "imageScanFindings.enhancedFindings[].fixAvailable",
        "imageScanFindings.enhancedFindings[].resources[].details.awsEcrContainerImage.platform",
        "imageScanFindings.enhancedFindings[].packageVulnerabilityDetails.vulnerabilityId",
        "imageScanFindings.enhancedFindings[].packageVulnerabilityDetails.cvss[].baseScore",
        "imageScanFindings.enhancedFindings[].packageVulnerabilityDetails.cvss[].scoringVector",
        "imageScanFindings.enhancedFindings[].packageVulnerabilityDetails.cvss[].version",
        *(
            "imageScanFindings.enhancedFindings[].packageVulnerabilityDetails"
            f".vulnerablePackages[].{name}"
            for name in ("name", "version", "release", "epoch", "packageManager", "fixedInVersion")
        ),
    ],
}


@pytest.mark.parametrize(("service", "operation"), FIELDS, ids=str)
def test_fields_exist(service: str, operation: str) -> None:
    model = botocore.session.Session().get_service_model(service)
    output: Any = model.operation_model(operation).output_shape
    for path in FIELDS[service, operation]:
        shape = output
        for step in path.split("."):
            assert step.removesuffix("[]") in shape.members, (path, step)
            shape = shape.members[step.removesuffix("[]")]
            if step.endswith("[]"):
                shape = shape.member


@pytest.mark.parametrize(("service", "operation"), FIELDS, ids=str)
def test_operations_are_in_the_read_list(service: str, operation: str) -> None:
    assert operation in READS[service]
