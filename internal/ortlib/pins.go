package ortlib

// pin is a library in a package of fixed version.
type pin struct {
	from     string // "go" or "npm"
	platform string // goos-goarch
	module   string // the package name in its registry
	file     string // the path in the package
	version  string // of ONNX Runtime
	sum      string // SHA-256 of the library
}

const (
	sherpaLinux   = "github.com/k2-fsa/sherpa-onnx-go-linux@v1.13.8"
	sherpaDarwin  = "github.com/k2-fsa/sherpa-onnx-go-macos@v1.13.8"
	sherpaWindows = "github.com/k2-fsa/sherpa-onnx-go-windows@v1.13.8"
	nodePackage   = "onnxruntime-node@1.30.0"
)

// pins lists the libraries that Install can fetch. To change versions, update the
// constants and the sums of the files (sha256sum).
var pins = []pin{
	{"go", "linux-amd64", sherpaLinux, "lib/x86_64-unknown-linux-gnu/libonnxruntime.so", "1.28.2", "4b3607aebd1784b26b6f9b20e4bd974c7ab8287043e4d095cb7d2cb40b5e566e"},
	{"go", "linux-arm64", sherpaLinux, "lib/aarch64-unknown-linux-gnu/libonnxruntime.so", "1.28.2", "cfc800d4438f15e8d9017521326776ca7117d8783cb847ccccc2fc61ac4d540f"},
	{"go", "linux-arm", sherpaLinux, "lib/arm-unknown-linux-gnueabihf/libonnxruntime.so", "1.28.2", "4636872e9b50f985b7ecaa55a6829dee81bdb96f77010b5bc0a4059e51d872dc"},
	{"go", "darwin-arm64", sherpaDarwin, "lib/aarch64-apple-darwin/libonnxruntime.dylib", "1.28.2", "b0613d0ae53199a83b05fa48e169211498e9d40d54beaa372068ebe5ec5b0929"},
	{"go", "darwin-amd64", sherpaDarwin, "lib/x86_64-apple-darwin/libonnxruntime.dylib", "1.28.2", "2bf27180c09e6fd3f407c9ab25205ebf1ff95f2d53bfa35e35409b5849e0ac70"},
	{"go", "windows-amd64", sherpaWindows, "lib/x86_64-pc-windows-gnu/onnxruntime.dll", "1.28.2", "7f66f939a881baf4f46a2216496798edf4a1429878b646d12674aa62f27d8a25"},
	{"go", "windows-arm64", sherpaWindows, "lib/aarch64-pc-windows-gnu/onnxruntime.dll", "1.28.2", "968d081836cad9af537105f59e34d4997bca2ce6d78ff39d3e47660620e8a642"},
	{"go", "windows-386", sherpaWindows, "lib/i686-pc-windows-gnu/onnxruntime.dll", "1.28.2", "f97ee62a7b275bd660d5247d8921755f7bc31cccf8f6c4675d1e185fde8440f9"},

	{"npm", "linux-amd64", nodePackage, "bin/napi-v6/linux/x64/libonnxruntime.so.1", "1.30.0", "ffb75a925ba05e47b235bb66e3e3911714a80b328a9c9425539feb204aa32a23"},
	{"npm", "linux-arm64", nodePackage, "bin/napi-v6/linux/arm64/libonnxruntime.so.1", "1.30.0", "1f549d46250b005580b597f4164984aaf75b3bcb9f3aeb07c7f8a8fe60b23c76"},
	{"npm", "darwin-arm64", nodePackage, "bin/napi-v6/darwin/arm64/libonnxruntime.1.30.0.dylib", "1.30.0", "685d2be5dba1309c89d3a5324b7fd06a5c42f1a61bfea32d14c4cc28d072121d"},
	{"npm", "windows-amd64", nodePackage, "bin/napi-v6/win32/x64/onnxruntime.dll", "1.30.0", "508c362f5673483dd3a086379c392795b2e42d10d5e6f3f90ebd7ac21c97af67"},
	{"npm", "windows-arm64", nodePackage, "bin/napi-v6/win32/arm64/onnxruntime.dll", "1.30.0", "6c3a2abf5c6aca11c48a0d338a91af309f2266f25ce2e4084e6a87bbcb0fbfd0"},
}

func pinOf(sum string) (pin, bool) {
	for _, p := range pins {
		if p.sum == sum {
			return p, true
		}
	}
	return pin{}, false
}
