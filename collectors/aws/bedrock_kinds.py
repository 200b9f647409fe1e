"""The Bedrock types that are read: models, jobs, guardrails, agents, knowledge bases."""

from __future__ import annotations

from collections.abc import Mapping

from collectors.aws.arns import (
    Place,
    bucket,
    by_arn,
    ec2,
    function,
    kms_key,
    model,
    named,
    role,
)
from collectors.aws.bedrock_flow_kinds import KINDS as FLOWS
from collectors.aws.bedrock_served_kinds import (
    AGENT,
    DRAFT,
    agent_parts,
    alias,
    guardrails_used,
)
from collectors.aws.kinds import ARN, Child, Facts, Kind, Read, Tags, constant
from collectors.aws.references import SECRET, vector_index, vpc
from collectors.aws.values import find
from collectors.references import Reference, Target
from undercroft.model import Json, Layer
from undercroft.relations import Relation

__all__ = ["KINDS"]

_ROLE = Relation.USES_IDENTITY
_KEY = Relation.ENCRYPTED_WITH
_READS = Relation.READS_DATA_FROM
_WRITES = Relation.WRITES_TO
_LOADS = Relation.LOADS_ARTIFACT_FROM
_CALLS = Relation.INVOKES_TOOL
_SAME = Relation.SAME_WORKLOAD

_MODEL_TAGS = Tags("list_tags_for_resource", "resourceARN", "tags")
_AGENT_TAGS = Tags("list_tags_for_resource", "resourceArn", "tags")
_NO_POLICY = frozenset({"ResourceNotFoundException"})

_BASE = named("bedrock", "knowledge-base", "bedrock:knowledge-base")
_REVIEW = named("sagemaker", "flow-definition", "sagemaker:flow-definition")
_VPC_ID = ec2("vpc", Layer.NETWORK)
_COLLECTION = by_arn("aoss", "collection", "aoss:collection", Layer.STORAGE)
_DOMAIN = by_arn("es", "domain", "opensearch:domain", Layer.STORAGE)
_VECTORS = named("s3vectors", "bucket", "s3vectors:vector-bucket", Layer.STORAGE, colon=True)
_CLUSTER = by_arn("rds", "cluster", "rds:cluster", Layer.STORAGE)
_GRAPH = by_arn("neptune-graph", "graph", "neptune-graph:graph", Layer.STORAGE)
_WORKGROUP = by_arn(
    "redshift-serverless", "workgroup", "redshift-serverless:workgroup", Layer.STORAGE
)
_WAREHOUSE = named("redshift", "cluster", "redshift:cluster", Layer.STORAGE)
_INDEX = by_arn("kendra", "index", "kendra:index", Layer.SERVICE)
_ENDPOINT = by_arn("sagemaker", "endpoint", "sagemaker:endpoint", Layer.SERVICE)

_VPC = vpc("vpcConfig", "subnetIds", "securityGroupIds")
_RFT = "customizationConfig.rftConfig.graderConfig.lambdaGrader.lambdaArn"
_TEACHER = "customizationConfig.distillationConfig.teacherModelConfig.teacherModelIdentifier"
_TRAINING = (
    Reference("trainingDataConfig.s3Uri", bucket, _READS),
    Reference("trainingDataConfig.invocationLogsConfig.invocationLogSource.s3Uri", bucket, _READS),
    Reference("validationDataConfig.validators[].s3Uri", bucket, _READS),
    Reference("outputDataConfig.s3Uri", bucket, _WRITES),
    Reference("baseModelArn", model, _LOADS),
    Reference(_RFT, function, _CALLS),
    Reference(_TEACHER, model, _LOADS),
)


def _warehouse(place: Place, identifier: str) -> Target | None:
    """A cluster of Redshift by its name; a colon stands before it in its ARN."""
    return _WAREHOUSE(place, place.arn("redshift", f"cluster:{identifier}"))


def _policy(operation: str, pick: str, *actions: str) -> Read:
    return Read(
        "ResourcePolicy",
        operation,
        {"resourceArn": ARN},
        pick=pick,
        answers=_NO_POLICY,
        grants=actions,
    )


def _owned(place: Place, config: Mapping[str, Json]) -> dict[str, Json]:
    """Whether the bucket that a data source reads is said to be a trusted account's."""
    owners = [
        owner
        for _, owner in find(config, "dataSourceConfiguration.s3Configuration.bucketOwnerAccountId")
    ]
    return {"bucket_owner_trusted": all(owner in place.trusted for owner in owners)}


_OWNED: Facts = _owned

_QUERIES = (
    "knowledgeBaseConfiguration.sqlKnowledgeBaseConfiguration.redshiftConfiguration"
    ".queryEngineConfiguration"
)

_DATA_SOURCE = Kind(
    family="bedrock",
    name="data-source",
    type="bedrock:data-source",
    segment="data-source",
    client="bedrock-agent",
    prefix="bedrock",
    list_operation="list_data_sources",
    list_key="dataSourceSummaries",
    describe_operation="get_data_source",
    answer="dataSource",
    identifiers=("knowledgeBaseId", "dataSourceId"),
    arn="",
    title="name",
    created="createdAt",
    facts=_OWNED,
    derived=("bucket_owner_trusted",),
    references=(
        Reference("dataSourceConfiguration.s3Configuration.bucketArn", bucket, _READS),
        Reference(
            "dataSourceConfiguration.*Configuration.sourceConfiguration.credentialsSecretArn",
            SECRET,
            _ROLE,
        ),
        Reference("serverSideEncryptionConfiguration.kmsKeyArn", kms_key, _KEY),
        Reference(
            "vectorIngestionConfiguration.*Configuration.bedrockFoundationModelConfiguration.modelArn",
            model,
            _LOADS,
        ),
        Reference(
            "vectorIngestionConfiguration.customTransformationConfiguration.transformations[]"
            ".transformationFunction.transformationLambdaConfiguration.lambdaArn",
            function,
            _CALLS,
        ),
        Reference(
            "vectorIngestionConfiguration.customTransformationConfiguration.intermediateStorage"
            ".s3Location.uri",
            bucket,
            _WRITES,
        ),
    ),
)

_ACTION_GROUP = Kind(
    family="bedrock",
    name="agent-action-group",
    type="bedrock:agent-action-group",
    segment="agent-action-group",
    client="bedrock-agent",
    prefix="bedrock",
    list_operation="list_agent_action_groups",
    list_key="actionGroupSummaries",
    describe_operation="get_agent_action_group",
    answer="agentActionGroup",
    identifiers=("agentId", "actionGroupId"),
    arguments={
        "agentId": "agentId",
        "agentVersion": "agentVersion",
        "actionGroupId": "actionGroupId",
    },
    arn="",
    title="actionGroupName",
    created="createdAt",
    references=(
        Reference("actionGroupExecutor.lambda", function, _CALLS),
        Reference("apiSchema.s3.s3BucketName", bucket, _LOADS),
    ),
)

KINDS: tuple[Kind, ...] = (
    Kind(
        family="bedrock",
        name="custom-model",
        type="bedrock:custom-model",
        segment="custom-model",
        client="bedrock",
        prefix="bedrock",
        list_operation="list_custom_models",
        list_key="modelSummaries",
        list_arguments={"isOwned": True},
        describe_operation="get_custom_model",
        identifiers=("modelArn",),
        arguments={"modelIdentifier": "modelArn"},
        by_arn=True,
        arn="modelArn",
        title="modelName",
        created="creationTime",
        service=True,
        settings="bedrock",
        tags=_MODEL_TAGS,
        reads=(_policy("get_resource_policy", "resourcePolicy", "bedrock:InvokeModel"),),
        references=(
            *_TRAINING,
            Reference("modelKmsKeyArn", kms_key, _KEY),
        ),
    ),
    Kind(
        family="bedrock",
        name="model-customization-job",
        type="bedrock:model-customization-job",
        segment="model-customization-job",
        client="bedrock",
        prefix="bedrock",
        list_operation="list_model_customization_jobs",
        list_key="modelCustomizationJobSummaries",
        history="creationTimeAfter",
        describe_operation="get_model_customization_job",
        identifiers=("jobArn",),
        arguments={"jobIdentifier": "jobArn"},
        by_arn=True,
        arn="jobArn",
        title="jobName",
        created="creationTime",
        service=True,
        settings="bedrock",
        tags=_MODEL_TAGS,
        references=(
            *_TRAINING,
            Reference("outputModelArn", model, Relation.PRODUCES),
            Reference("outputModelKmsKeyArn", kms_key, _KEY),
            Reference("roleArn", role, _ROLE),
            *_VPC,
        ),
    ),
    Kind(
        family="bedrock",
        name="imported-model",
        type="bedrock:imported-model",
        segment="imported-model",
        client="bedrock",
        prefix="bedrock",
        list_operation="list_imported_models",
        list_key="modelSummaries",
        describe_operation="get_imported_model",
        identifiers=("modelArn",),
        arguments={"modelIdentifier": "modelArn"},
        by_arn=True,
        arn="modelArn",
        title="modelName",
        created="creationTime",
        service=True,
        settings="bedrock",
        tags=_MODEL_TAGS,
        references=(
            Reference("modelDataSource.s3DataSource.s3Uri", bucket, _LOADS),
            Reference("modelKmsKeyArn", kms_key, _KEY),
        ),
    ),
    Kind(
        family="bedrock",
        name="model-import-job",
        type="bedrock:model-import-job",
        segment="model-import-job",
        client="bedrock",
        prefix="bedrock",
        list_operation="list_model_import_jobs",
        list_key="modelImportJobSummaries",
        history="creationTimeAfter",
        describe_operation="get_model_import_job",
        identifiers=("jobArn",),
        arguments={"jobIdentifier": "jobArn"},
        by_arn=True,
        arn="jobArn",
        title="jobName",
        created="creationTime",
        references=(
            Reference("modelDataSource.s3DataSource.s3Uri", bucket, _READS),
            Reference("importedModelArn", model, Relation.PRODUCES),
            Reference("importedModelKmsKeyArn", kms_key, _KEY),
            Reference("roleArn", role, _ROLE),
            *_VPC,
        ),
    ),
    Kind(
        family="bedrock",
        name="custom-model-deployment",
        type="bedrock:custom-model-deployment",
        segment="custom-model-deployment",
        client="bedrock",
        prefix="bedrock",
        list_operation="list_custom_model_deployments",
        list_key="modelDeploymentSummaries",
        describe_operation="get_custom_model_deployment",
        identifiers=("customModelDeploymentArn",),
        arguments={"customModelDeploymentIdentifier": "customModelDeploymentArn"},
        by_arn=True,
        arn="customModelDeploymentArn",
        title="modelDeploymentName",
        created="createdAt",
        service=True,
        settings="bedrock",
        tags=_MODEL_TAGS,
        references=(Reference("modelArn", model, _SAME),),
    ),
    Kind(
        family="bedrock",
        name="provisioned-model",
        type="bedrock:provisioned-model",
        segment="provisioned-model",
        client="bedrock",
        prefix="bedrock",
        list_operation="list_provisioned_model_throughputs",
        list_key="provisionedModelSummaries",
        describe_operation="get_provisioned_model_throughput",
        identifiers=("provisionedModelArn",),
        arguments={"provisionedModelId": "provisionedModelArn"},
        by_arn=True,
        arn="provisionedModelArn",
        title="provisionedModelName",
        created="creationTime",
        service=True,
        settings="bedrock",
        tags=_MODEL_TAGS,
        references=(
            Reference("modelArn", model, _SAME),
            # What it is being moved to.
            Reference("desiredModelArn", model, _SAME),
        ),
    ),
    Kind(
        family="bedrock",
        name="guardrail",
        type="bedrock:guardrail",
        segment="guardrail",
        client="bedrock",
        prefix="bedrock",
        list_operation="list_guardrails",
        list_key="guardrails",
        describe_operation="get_guardrail",
        identifiers=("id",),
        arguments={"guardrailIdentifier": "id", "guardrailVersion": "version"},
        arn="guardrailArn",
        title="name",
        created="createdAt",
        reads=(_policy("get_resource_policy", "resourcePolicy", "bedrock:ApplyGuardrail"),),
        references=(Reference("kmsKeyArn", kms_key, _KEY),),
    ),
    Kind(
        family="bedrock",
        name="inference-profile",
        type="bedrock:inference-profile",
        segment="application-inference-profile",
        client="bedrock",
        prefix="bedrock",
        list_operation="list_inference_profiles",
        list_key="inferenceProfileSummaries",
        list_arguments={"typeEquals": "APPLICATION"},
        # The list says all that the describe call would.
        describe_operation="",
        identifiers=("inferenceProfileId",),
        arn="inferenceProfileArn",
        title="inferenceProfileName",
        created="createdAt",
        references=(Reference("models[].modelArn", model, _SAME),),
    ),
    Kind(
        family="bedrock",
        name="model-invocation-job",
        type="bedrock:model-invocation-job",
        segment="model-invocation-job",
        client="bedrock",
        prefix="bedrock",
        list_operation="list_model_invocation_jobs",
        list_key="invocationJobSummaries",
        history="submitTimeAfter",
        # The list says all that the describe call would.
        describe_operation="",
        identifiers=("jobArn",),
        by_arn=True,
        arn="jobArn",
        title="jobName",
        created="submitTime",
        service=True,
        settings="bedrock",
        tags=_MODEL_TAGS,
        references=(
            Reference("inputDataConfig.s3InputDataConfig.s3Uri", bucket, _READS),
            Reference("outputDataConfig.s3OutputDataConfig.s3Uri", bucket, _WRITES),
            Reference("outputDataConfig.s3OutputDataConfig.s3EncryptionKeyId", kms_key, _KEY),
            Reference("roleArn", role, _ROLE),
            Reference("modelId", model, _LOADS),
            *_VPC,
        ),
    ),
    Kind(
        family="bedrock",
        name="evaluation-job",
        type="bedrock:evaluation-job",
        segment="evaluation-job",
        client="bedrock",
        prefix="bedrock",
        list_operation="list_evaluation_jobs",
        list_key="jobSummaries",
        history="creationTimeAfter",
        describe_operation="get_evaluation_job",
        identifiers=("jobArn",),
        arguments={"jobIdentifier": "jobArn"},
        by_arn=True,
        arn="jobArn",
        title="jobName",
        created="creationTime",
        references=(
            Reference("outputDataConfig.s3Uri", bucket, _WRITES),
            Reference("customerEncryptionKeyId", kms_key, _KEY),
            Reference("roleArn", role, _ROLE),
            Reference("inferenceConfig.models[].bedrockModel.modelIdentifier", model, _LOADS),
            Reference(
                "evaluationConfig.*.datasetMetricConfigs[].dataset.datasetLocation.s3Uri",
                bucket,
                _READS,
            ),
            Reference(
                "evaluationConfig.automated.evaluatorModelConfig.bedrockEvaluatorModels[]"
                ".modelIdentifier",
                model,
                _LOADS,
            ),
            Reference(
                "evaluationConfig.human.humanWorkflowConfig.flowDefinitionArn", _REVIEW, _SAME
            ),
            Reference(
                "inferenceConfig.ragConfigs[].knowledgeBaseConfig.retrieveConfig.knowledgeBaseId",
                _BASE,
                _READS,
            ),
            Reference(
                "inferenceConfig.ragConfigs[].knowledgeBaseConfig.retrieveAndGenerateConfig"
                ".knowledgeBaseConfiguration.knowledgeBaseId",
                _BASE,
                _READS,
            ),
            Reference(
                "inferenceConfig.ragConfigs[].knowledgeBaseConfig.retrieveAndGenerateConfig"
                ".knowledgeBaseConfiguration.modelArn",
                model,
                _LOADS,
            ),
        ),
    ),
    Kind(
        family="bedrock",
        name="marketplace-endpoint",
        type="bedrock:marketplace-endpoint",
        segment="marketplace-model-endpoint",
        client="bedrock",
        prefix="bedrock",
        list_operation="list_marketplace_model_endpoints",
        list_key="marketplaceModelEndpoints",
        describe_operation="get_marketplace_model_endpoint",
        answer="marketplaceModelEndpoint",
        identifiers=("endpointArn",),
        by_arn=True,
        arn="endpointArn",
        title="modelSourceIdentifier",
        created="createdAt",
        service=True,
        settings="bedrock",
        references=(
            Reference("endpointArn", _ENDPOINT, _SAME),
            Reference("endpointConfig.sageMaker.executionRole", role, _ROLE),
            Reference("endpointConfig.sageMaker.kmsEncryptionKey", kms_key, _KEY),
            *vpc("endpointConfig.sageMaker.vpc", "subnetIds", "securityGroupIds"),
        ),
    ),
    Kind(
        family="bedrock",
        name="agent",
        type="bedrock:agent",
        segment="agent",
        client="bedrock-agent",
        prefix="bedrock",
        list_operation="list_agents",
        list_key="agentSummaries",
        describe_operation="get_agent",
        answer="agent",
        identifiers=("agentId",),
        arn="agentArn",
        title="agentName",
        created="createdAt",
        service=True,
        settings="bedrock",
        tags=_AGENT_TAGS,
        reads=agent_parts(constant(DRAFT)),
        children=(
            Child(
                _ACTION_GROUP,
                {"agentId": "agentId", "agentVersion": constant(DRAFT)},
                _CALLS,
                "ActionGroups",
            ),
            Child(alias(_ACTION_GROUP), {"agentId": "agentId"}, _SAME, "Aliases"),
        ),
        more=guardrails_used,
        references=(
            *AGENT,
            Reference("customOrchestration.executor.lambda", function, _CALLS),
        ),
    ),
    Kind(
        family="bedrock",
        name="knowledge-base",
        settings="bedrock",
        type="bedrock:knowledge-base",
        segment="knowledge-base",
        client="bedrock-agent",
        prefix="bedrock",
        list_operation="list_knowledge_bases",
        list_key="knowledgeBaseSummaries",
        describe_operation="get_knowledge_base",
        answer="knowledgeBase",
        identifiers=("knowledgeBaseId",),
        arn="knowledgeBaseArn",
        title="name",
        created="createdAt",
        reads=(
            _policy("get_resource_policy", "policy", "bedrock:Retrieve"),
            # Networks that it reaches its documents through.
            Read(
                "VpcConfigurations",
                "list_vpc_configurations",
                {"knowledgeBaseId": "knowledgeBaseId"},
                pick="items",
                listed=True,
            ),
        ),
        children=(
            Child(_DATA_SOURCE, {"knowledgeBaseId": "knowledgeBaseId"}, _READS, "DataSources"),
        ),
        references=(
            Reference("roleArn", role, _ROLE),
            Reference("VpcConfigurations[].vpcId", _VPC_ID, Relation.PROTECTED_BY),
            Reference(
                "storageConfiguration.opensearchServerlessConfiguration.collectionArn",
                _COLLECTION,
                _READS,
            ),
            Reference(
                "storageConfiguration.opensearchManagedClusterConfiguration.domainArn",
                _DOMAIN,
                _READS,
            ),
            Reference(
                "storageConfiguration.s3VectorsConfiguration.vectorBucketArn", _VECTORS, _READS
            ),
            Reference("storageConfiguration.s3VectorsConfiguration.indexArn", _VECTORS, _READS),
            Reference("storageConfiguration.s3VectorsConfiguration.indexArn", vector_index, _READS),
            Reference("storageConfiguration.rdsConfiguration.resourceArn", _CLUSTER, _READS),
            Reference(
                "storageConfiguration.neptuneAnalyticsConfiguration.graphArn", _GRAPH, _READS
            ),
            Reference("storageConfiguration.*Configuration.credentialsSecretArn", SECRET, _ROLE),
            Reference(
                "knowledgeBaseConfiguration.*KnowledgeBaseConfiguration.embeddingModelArn",
                model,
                _LOADS,
            ),
            Reference(f"{_QUERIES}.serverlessConfiguration.workgroupArn", _WORKGROUP, _READS),
            Reference(f"{_QUERIES}.provisionedConfiguration.clusterIdentifier", _warehouse, _READS),
            Reference(
                f"{_QUERIES}.*Configuration.authConfiguration.usernamePasswordSecretArn",
                SECRET,
                _ROLE,
            ),
            Reference(
                "knowledgeBaseConfiguration.kendraKnowledgeBaseConfiguration.kendraIndexArn",
                _INDEX,
                _READS,
            ),
            Reference(
                "knowledgeBaseConfiguration.*KnowledgeBaseConfiguration"
                ".supplementalDataStorageConfiguration.storageLocations[].s3Location.uri",
                bucket,
                _WRITES,
            ),
            Reference(
                "knowledgeBaseConfiguration.managedKnowledgeBaseConfiguration"
                ".serverSideEncryptionConfiguration.kmsKeyArn",
                kms_key,
                _KEY,
            ),
        ),
    ),
    Kind(
        family="bedrock",
        name="data-automation-project",
        type="bedrock:data-automation-project",
        segment="data-automation-project",
        client="bedrock-data-automation",
        prefix="bedrock",
        list_operation="list_data_automation_projects",
        list_key="projects",
        list_arguments={"resourceOwner": "ACCOUNT"},
        describe_operation="get_data_automation_project",
        answer="project",
        identifiers=("projectArn",),
        arguments={"projectArn": "projectArn", "projectStage": "projectStage"},
        by_arn=True,
        arn="projectArn",
        title="projectName",
        created="creationTime",
        references=(Reference("kmsKeyId", kms_key, _KEY),),
    ),
    *FLOWS,
)
