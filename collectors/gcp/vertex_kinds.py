"""The Vertex AI types that are read: how each is listed, what it runs as and refers to, as data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from collectors.gcp import names
from collectors.gcp.names import Referent, compute, vertex
from collectors.references import Reference
from collectors.values import find
from undercroft.model import Certainty, Json, Layer
from undercroft.relations import Relation

__all__ = ["HOST", "KINDS", "Kind", "hosts_of"]

HOST = "x-gcp/managed-host"
"""A machine that Google runs for a job or an endpoint, in a project of its own."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One Vertex AI type."""

    collection: str
    """In its path, in the answer of its list, and in its key."""
    short: str
    """``Endpoint`` of ``aiplatform.googleapis.com/Endpoint``."""
    client: str = ""
    """Client class and method of the package; empty: the package does not have it."""
    method: str = ""
    inventory: bool = False
    """Whether Cloud Asset Inventory is known to hold this type, so that it can say "none"."""
    layer: Layer = Layer.SERVICE
    service: bool = False
    references: tuple[Reference, ...] = ()
    identities: tuple[str, ...] = ()
    """Fields that name the account it runs as."""
    agent: str = ""
    """Whose place it takes if none of them does: ``compute`` (Compute Engine's default account) or
    the domain of a service agent; empty: a Google account without rights in the project."""
    hosts: tuple[str, ...] = ()
    """Paths of machine descriptions."""
    running: str = ""
    """For what is history: the state of those that are not; only young or running ones are read."""
    under: str = ""
    """Collection of the parent that it is listed beneath."""
    held: Relation | None = None
    """How the parent depends on it."""

    @property
    def type(self) -> str:
        """Resource type, by Cloud Asset Inventory's name."""
        return f"aiplatform.googleapis.com/{self.short}"

    @property
    def lists(self) -> tuple[str, ...]:
        """Types that a complete list enumerates."""
        return (self.type, HOST) if self.hosts else (self.type,)


_INFERRED = Certainty.INFERRED
_SAME = Relation.SAME_WORKLOAD
_IMAGE = Relation.RUNS_IMAGE
_HOST = Relation.RUNS_ON
_IDENTITY = Relation.USES_IDENTITY
_ARTIFACT = Relation.LOADS_ARTIFACT_FROM
_READS = Relation.READS_DATA_FROM
_WRITES = Relation.WRITES_TO
_KEY = Relation.ENCRYPTED_WITH
_FENCE = Relation.PROTECTED_BY

_MODEL = vertex("models", "Model")
_ENDPOINT = vertex("endpoints", "Endpoint")
_DATASET = vertex("datasets", "Dataset", Layer.STORAGE)
_INDEX = vertex("indexes", "Index", Layer.STORAGE)
_POOL = vertex("deploymentResourcePools", "DeploymentResourcePool", Layer.VM)
_CORPUS = vertex("ragCorpora", "RagCorpus")

_ENCRYPTION = Reference("encryptionSpec.kmsKeyName", names.crypto_key, _KEY)
_CC_AGENT = "gcp-sa-aiplatform-cc"


def _network(at: str = "") -> tuple[Reference, ...]:
    return (Reference(f"{at}network", compute("networks"), _FENCE),)


def _interface(at: str = "") -> tuple[Reference, ...]:
    path = f"{at}pscInterfaceConfig.networkAttachment"
    return (Reference(path, compute("networkAttachments"), _FENCE),)


def _container(at: str) -> tuple[Reference, ...]:
    return (Reference(f"{at}.imageUri", names.image, _IMAGE),)


def _job(at: str) -> tuple[Reference, ...]:
    """A job specification: worker pools, network, where it writes."""
    pools = f"{at}workerPoolSpecs[]"
    return (
        *_container(f"{pools}.containerSpec"),
        Reference(f"{pools}.pythonPackageSpec.executorImageUri", names.image, _IMAGE),
        Reference(f"{pools}.pythonPackageSpec.packageUris[]", names.bucket_address, _ARTIFACT),
        Reference(f"{pools}.containerSpec.args[]", names.data_uri, _READS, _INFERRED),
        Reference(f"{pools}.pythonPackageSpec.args[]", names.data_uri, _READS, _INFERRED),
        Reference(f"{at}baseOutputDirectory.outputUriPrefix", names.bucket, _WRITES),
        *_network(at),
        *_interface(at),
    )


def _dedicated(at: str = "") -> tuple[str, ...]:
    return (f"{at}dedicatedResources", f"{at}automaticResources")


def _notebook(software: str) -> tuple[Reference, ...]:
    return (
        Reference("networkSpec.network", compute("networks"), _FENCE),
        Reference("networkSpec.subnetwork", compute("subnetworks"), _FENCE),
        Reference(
            f"{software}.postStartupScriptConfig.postStartupScriptUrl",
            names.bucket_address,
            _ARTIFACT,
        ),
        _ENCRYPTION,
    )


def _batch_data(at: str, relation: Relation) -> tuple[Reference, ...]:
    uri: Referent = names.data_uri
    if relation is _READS:
        return (
            Reference(f"{at}.gcsSource.uris[]", uri, relation),
            Reference(f"{at}.bigquerySource.inputUri", uri, relation),
        )
    return (
        Reference(f"{at}.gcsDestination.outputUriPrefix", uri, relation),
        Reference(f"{at}.bigqueryDestination.outputUri", uri, relation),
    )


KINDS: tuple[Kind, ...] = (
    Kind(
        "endpoints", "Endpoint", "EndpointServiceClient", "list_endpoints",
        inventory=True,
        service=True,
        identities=("deployedModels[].serviceAccount",),
        hosts=(*_dedicated("deployedModels[]."),),
        references=(
            Reference("deployedModels[].model", _MODEL, _SAME),
            Reference("deployedModels[].sharedResources", _POOL, _HOST),
            Reference(
                "predictRequestResponseLoggingConfig.bigqueryDestination.outputUri",
                names.data_uri, _WRITES,
            ),
            Reference(
                "predictRequestResponseLoggingConfig.bigqueryDestination.outputUri",
                names.request_log, _WRITES,
            ),
            Reference("privateServiceConnectConfig.serviceAttachment", compute("networkAttachments"), _FENCE),
            Reference(
                "modelDeploymentMonitoringJob",
                vertex("modelDeploymentMonitoringJobs", "ModelDeploymentMonitoringJob", Layer.STORAGE),
                _WRITES,
            ),
            *_network(),
            _ENCRYPTION,
        ),
    ),
    Kind(
        "deploymentResourcePools", "DeploymentResourcePool",
        "DeploymentResourcePoolServiceClient", "list_deployment_resource_pools",
        layer=Layer.VM,
        identities=("serviceAccount",),
        hosts=("dedicatedResources",),
        references=(_ENCRYPTION,),
    ),
    Kind(
        "models", "Model", "ModelServiceClient", "list_models",
        inventory=True,
        references=(
            *_container("containerSpec"),
            Reference("artifactUri", names.bucket, _ARTIFACT),
            Reference("trainingPipeline", vertex("trainingPipelines", "TrainingPipeline"), _ARTIFACT),
            Reference("pipelineJob", vertex("pipelineJobs", "PipelineJob"), _ARTIFACT),
            Reference("originalModelInfo.model", _MODEL, _ARTIFACT),
            _ENCRYPTION,
        ),
    ),
    Kind(
        "customJobs", "CustomJob", "JobServiceClient", "list_custom_jobs",
        inventory=True,
        service=True,
        running="JOB_STATE_RUNNING",
        identities=("jobSpec.serviceAccount",),
        agent=_CC_AGENT,
        hosts=("jobSpec.workerPoolSpecs[]",),
        references=(
            *_job("jobSpec."),
            Reference(
                "jobSpec.persistentResourceId",
                vertex("persistentResources", "PersistentResource"), _HOST,
            ),
            _ENCRYPTION,
        ),
    ),
    Kind(
        "hyperparameterTuningJobs", "HyperparameterTuningJob",
        "JobServiceClient", "list_hyperparameter_tuning_jobs",
        inventory=True,
        service=True,
        running="JOB_STATE_RUNNING",
        identities=("trialJobSpec.serviceAccount",),
        agent=_CC_AGENT,
        hosts=("trialJobSpec.workerPoolSpecs[]",),
        references=(*_job("trialJobSpec."), _ENCRYPTION),
    ),
    Kind(
        "batchPredictionJobs", "BatchPredictionJob",
        "JobServiceClient", "list_batch_prediction_jobs",
        inventory=True,
        service=True,
        running="JOB_STATE_RUNNING",
        identities=("serviceAccount",),
        hosts=("dedicatedResources",),
        references=(
            Reference("model", _MODEL, _SAME),
            *_container("unmanagedContainerModel.containerSpec"),
            Reference("unmanagedContainerModel.artifactUri", names.bucket, _ARTIFACT),
            *_batch_data("inputConfig", _READS),
            *_batch_data("outputConfig", _WRITES),
            _ENCRYPTION,
        ),
    ),
    Kind(
        "modelDeploymentMonitoringJobs", "ModelDeploymentMonitoringJob",
        "JobServiceClient", "list_model_deployment_monitoring_jobs",
        inventory=True,
        layer=Layer.STORAGE,
        references=(
            Reference("bigqueryTables[].bigqueryTablePath", names.data_uri, _WRITES),
            Reference("statsAnomaliesBaseDirectory.outputUriPrefix", names.bucket, _WRITES),
            _ENCRYPTION,
        ),
    ),
    Kind(
        "trainingPipelines", "TrainingPipeline", "PipelineServiceClient", "list_training_pipelines",
        inventory=True,
        service=True,
        running="PIPELINE_STATE_RUNNING",
        identities=(
            "trainingTaskInputs.serviceAccount",
            "trainingTaskInputs.trialJobSpec.serviceAccount",
        ),
        agent=_CC_AGENT,
        hosts=(
            "trainingTaskInputs.workerPoolSpecs[]",
            "trainingTaskInputs.trialJobSpec.workerPoolSpecs[]",
        ),
        references=(
            *_job("trainingTaskInputs."),
            *_job("trainingTaskInputs.trialJobSpec."),
            Reference("inputDataConfig.gcsDestination.outputUriPrefix", names.bucket, _WRITES),
            Reference("inputDataConfig.bigqueryDestination.outputUri", names.data_uri, _WRITES),
            _ENCRYPTION,
        ),
    ),
    Kind(
        "pipelineJobs", "PipelineJob", "PipelineServiceClient", "list_pipeline_jobs",
        inventory=True,
        service=True,
        running="PIPELINE_STATE_RUNNING",
        identities=("serviceAccount",),
        agent="compute",
        references=(
            Reference(
                "pipelineSpec.deploymentSpec.executors.*.container.image", names.image, _IMAGE
            ),
            Reference("runtimeConfig.gcsOutputDirectory", names.bucket, _WRITES),
            Reference("runtimeConfig.parameterValues.*", names.data_uri, _READS, _INFERRED),
            *_network(),
            *_interface(),
            _ENCRYPTION,
        ),
    ),
    Kind(
        "schedules", "Schedule", "ScheduleServiceClient", "list_schedules",
        identities=(
            "createPipelineJobRequest.pipelineJob.serviceAccount",
            "createNotebookExecutionJobRequest.notebookExecutionJob.serviceAccount",
        ),
        agent="compute",
        references=(
            Reference(
                "createPipelineJobRequest.pipelineJob.pipelineSpec.deploymentSpec.executors"
                ".*.container.image",
                names.image, _IMAGE,
            ),
            Reference(
                "createPipelineJobRequest.pipelineJob.runtimeConfig.gcsOutputDirectory",
                names.bucket, _WRITES,
            ),
            Reference(
                "createNotebookExecutionJobRequest.notebookExecutionJob.gcsNotebookSource.uri",
                names.bucket, _ARTIFACT,
            ),
        ),
    ),
    Kind(
        "tuningJobs", "TuningJob", "GenAiTuningServiceClient", "list_tuning_jobs",
        inventory=True,
        service=True,
        identities=("serviceAccount",),
        references=(
            Reference("supervisedTuningSpec.trainingDatasetUri", names.data_uri, _READS),
            Reference("supervisedTuningSpec.validationDatasetUri", names.data_uri, _READS),
            Reference("supervisedTuningSpec.trainingDatasetUri", _DATASET, _READS),
            Reference("preferenceOptimizationSpec.trainingDatasetUri", names.data_uri, _READS),
            _ENCRYPTION,
        ),
    ),
    Kind(
        "datasets", "Dataset", "DatasetServiceClient", "list_datasets",
        inventory=True,
        layer=Layer.STORAGE,
        references=(
            Reference("metadata.inputConfig.gcsSource.uri[]", names.bucket, _READS),
            Reference("metadata.inputConfig.bigquerySource.uri", names.data_uri, _READS),
            _ENCRYPTION,
        ),
    ),
    Kind(
        "featurestores", "Featurestore", "FeaturestoreServiceClient", "list_featurestores",
        inventory=True,
        layer=Layer.STORAGE,
        references=(_ENCRYPTION,),
    ),
    Kind(
        "featureOnlineStores", "FeatureOnlineStore",
        "FeatureOnlineStoreAdminServiceClient", "list_feature_online_stores",
        inventory=True,
        service=True,
        references=(_ENCRYPTION,),
    ),
    Kind(
        "featureViews", "FeatureView",
        "FeatureOnlineStoreAdminServiceClient", "list_feature_views",
        under="featureOnlineStores",
        held=_READS,
        layer=Layer.STORAGE,
        identities=("serviceAccountEmail",),
        references=(
            Reference("bigQuerySource.uri", names.data_uri, _READS),
        ),
    ),
    Kind(
        "featureGroups", "FeatureGroup", "FeatureRegistryServiceClient", "list_feature_groups",
        inventory=True,
        layer=Layer.STORAGE,
        identities=("serviceAccountEmail",),
        references=(Reference("bigQuery.bigQuerySource.inputUri", names.data_uri, _READS),),
    ),
    Kind(
        "indexes", "Index", "IndexServiceClient", "list_indexes",
        inventory=True,
        layer=Layer.STORAGE,
        references=(
            Reference("metadata.contentsDeltaUri", names.bucket, _READS),
            _ENCRYPTION,
        ),
    ),
    Kind(
        "indexEndpoints", "IndexEndpoint", "IndexEndpointServiceClient", "list_index_endpoints",
        inventory=True,
        service=True,
        references=(
            Reference("deployedIndexes[].index", _INDEX, _SAME),
            *_network(),
            _ENCRYPTION,
        ),
    ),
    Kind(
        "ragCorpora", "RagCorpus", "VertexRagDataServiceClient", "list_rag_corpora",
        service=True,
        references=(
            Reference("vectorDbConfig.vertexVectorSearch.index", _INDEX, _READS),
            Reference(
                "vectorDbConfig.vertexVectorSearch.indexEndpoint",
                vertex("indexEndpoints", "IndexEndpoint"), _READS,
            ),
            Reference(
                "vectorDbConfig.apiAuth.apiKeyConfig.apiKeySecretVersion", names.secret, _IDENTITY
            ),
            _ENCRYPTION,
        ),
    ),
    Kind(
        "ragFiles", "RagFile", "VertexRagDataServiceClient", "list_rag_files",
        under="ragCorpora",
        held=_READS,
        layer=Layer.STORAGE,
        references=(Reference("gcsSource.uris[]", names.bucket, _READS),),
    ),
    Kind(
        "reasoningEngines", "ReasoningEngine",
        "ReasoningEngineServiceClient", "list_reasoning_engines",
        service=True,
        identities=("spec.serviceAccount", "spec.effectiveIdentity"),
        agent="gcp-sa-aiplatform-re",
        references=(
            Reference("spec.packageSpec.pickleObjectGcsUri", names.bucket, _ARTIFACT),
            Reference("spec.packageSpec.dependencyFilesGcsUri", names.bucket, _ARTIFACT),
            Reference("spec.packageSpec.requirementsGcsUri", names.bucket, _ARTIFACT),
            *_container("spec.containerSpec"),
            Reference("spec.deploymentSpec.secretEnv[].secretRef.secret", names.secret, _IDENTITY),
            Reference("spec.deploymentSpec.env[].value", _CORPUS, _READS, _INFERRED),
            Reference("spec.deploymentSpec.env[].value", _ENDPOINT, Relation.INVOKES_TOOL, _INFERRED),
            *_interface("spec.deploymentSpec."),
            _ENCRYPTION,
        ),
    ),
    Kind(
        "sandboxEnvironmentTemplates", "SandboxEnvironmentTemplate",
        under="reasoningEngines",
        held=_SAME,
        references=(
            Reference(
                "egressControlConfig.networkAttachment", compute("networkAttachments"), _FENCE
            ),
        ),
    ),
    Kind("agents", "Agent", service=True, identities=("effectiveIdentity",), references=(_ENCRYPTION,)),
    Kind(
        "persistentResources", "PersistentResource",
        "PersistentResourceServiceClient", "list_persistent_resources",
        service=True,
        identities=("resourceRuntimeSpec.serviceAccountSpec.serviceAccount",),
        agent=_CC_AGENT,
        hosts=("resourcePools[]",),
        references=(
            Reference("resourceRuntimeSpec.raySpec.imageUri", names.image, _IMAGE),
            *_network(),
            *_interface(),
            _ENCRYPTION,
        ),
    ),
    Kind(
        "tensorboards", "Tensorboard", "TensorboardServiceClient", "list_tensorboards",
        inventory=True,
        layer=Layer.STORAGE,
        references=(_ENCRYPTION,),
    ),
    Kind(
        "metadataStores", "MetadataStore", "MetadataServiceClient", "list_metadata_stores",
        inventory=True,
        layer=Layer.STORAGE,
        references=(_ENCRYPTION,),
    ),
    Kind(
        "notebookRuntimes", "NotebookRuntime", "NotebookServiceClient", "list_notebook_runtimes",
        inventory=True,
        service=True,
        agent="gcp-sa-aiplatform-vm",
        hosts=("machineSpec",),
        references=(
            Reference(
                "notebookRuntimeTemplateRef.notebookRuntimeTemplate",
                vertex("notebookRuntimeTemplates", "NotebookRuntimeTemplate"), _SAME,
            ),
            *_notebook("softwareConfig"),
        ),
    ),
    Kind(
        "notebookRuntimeTemplates", "NotebookRuntimeTemplate",
        "NotebookServiceClient", "list_notebook_runtime_templates",
        inventory=True,
        references=_notebook("softwareConfig"),
    ),
    Kind(
        "notebookExecutionJobs", "NotebookExecutionJob",
        "NotebookServiceClient", "list_notebook_execution_jobs",
        service=True,
        identities=("serviceAccount",),
        references=(
            Reference("gcsNotebookSource.uri", names.bucket, _ARTIFACT),
            Reference("gcsOutputUri", names.bucket, _WRITES),
            _ENCRYPTION,
        ),
    ),
)  # fmt: skip


def hosts_of(kind: Kind, config: Mapping[str, Json]) -> Iterator[tuple[str, Mapping[str, Json]]]:
    """(field path, description) of every machine that a configuration speaks of."""
    for path in kind.hosts:
        for via, value in find(config, path):
            if isinstance(value, Mapping):
                yield via, value
