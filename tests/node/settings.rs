//! With which settings does each program of the node run?

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::json;

/// The node's own address, on its bridge: also that of the API server.
pub(crate) const ADDRESS: &str = "10.244.0.1";
/// The node's name.
pub(crate) const NAME: &str = "real-1";
/// Where containerd listens.
pub(crate) const CONTAINERD: &str = "/run/containerd/containerd.sock";
/// The image of what holds a pod's namespaces.
pub(crate) const PAUSE: &str = "linkspan.test/pause:1";

/// The files of a node, by name. JSON is YAML too.
pub(crate) fn files(
    state: &Path,
    plugins: &Path,
    runc: &Path,
    kubeconfig: &Path,
) -> BTreeMap<&'static str, String> {
    let group = state.file_name().unwrap().to_string_lossy();
    let kubelet = json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
        "address": ADDRESS,
        // Whoever reaches this address is in this network.
        "authentication": {"anonymous": {"enabled": true}, "webhook": {"enabled": false}},
        "authorization": {"mode": "AlwaysAllow"},
        "containerRuntimeEndpoint": format!("unix://{CONTAINERD}"),
        "cgroupDriver": "cgroupfs", "cgroupRoot": format!("/{group}"),
        "failCgroupV1": false, "failSwapOn": false,
        "resolvConf": state.join("resolv.conf"),
        "serializeImagePulls": false,
        // Whatever else fills this machine.
        "evictionHard": {"memory.available": "0%", "nodefs.available": "0%", "imagefs.available": "0%",
            "nodefs.inodesFree": "0%", "imagefs.inodesFree": "0%"},
        "imageGCHighThresholdPercent": 100,
        "maxPods": 200,
    });
    let proxy = json!({
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration",
        "mode": "iptables", "hostnameOverride": NAME,
        "clientConnection": {"kubeconfig": kubeconfig},
        "healthzBindAddress": "127.0.0.1:10256", "metricsBindAddress": "127.0.0.1:10249",
        // A pod reaches another of its bridge by a corev1 Service only if answers come back here.
        "iptables": {"masqueradeAll": true, "minSyncPeriod": "100ms"},
        // Settings of the whole kernel.
        "conntrack": {"maxPerCore": 0, "min": 0},
    });
    let network = json!({
        "cniVersion": "1.0.0", "name": "linkspan", "plugins": [
            {"type": "bridge", "bridge": "cni0", "isDefaultGateway": true, "hairpinMode": true,
                "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.244.0.0/24"}]]}},
            {"type": "portmap", "capabilities": {"portMappings": true}},
        ],
    });
    let containerd = format!(
        "version = 3
disabled_plugins = ['io.containerd.nri.v1.nri', 'io.containerd.internal.v1.opt']
[plugins.'io.containerd.cri.v1.images']
snapshotter = 'native'
pinned_images = {{sandbox = '{PAUSE}'}}
[plugins.'io.containerd.cri.v1.runtime']
# A machine need not let even root lower what is killed last.
restrict_oom_score_adj = true
cni = {{bin_dirs = ['{plugins}'], conf_dir = '{network}'}}
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
runtime_type = 'io.containerd.runc.v2'
snapshotter = 'native'
options = {{BinaryName = '{runc}', SystemdCgroup = false}}
",
        plugins = plugins.display(),
        network = state.join("network").display(),
        runc = runc.display(),
    );
    BTreeMap::from([
        ("containerd.toml", containerd),
        ("kubelet.json", kubelet.to_string()),
        ("network/linkspan.conflist", network.to_string()),
        ("proxy.json", proxy.to_string()),
        ("resolv.conf", String::new()),
    ])
}
