// Runs models on the cases beside them through the common interface of
// onnxruntime-node and onnxruntime-web.

const tolerance = 1e-5;

// check runs a model, given as the bytes of its file, on its cases: whole and, if
// marked stepwise, step by step with the state fed back. It returns the number of
// each, and the largest difference from the native engine's answers.
export async function check(ort, name, model, cases) {
	const session = await ort.InferenceSession.create(model);
	const known = cases.filter(c => Object.keys(c.inputs).every(input => session.inputNames.includes(input)));
	if (known.length < cases.length && !name.startsWith("optional_state_")) {
		throw new Error(`${name} has the inputs ${session.inputNames}, fewer than are fed`);
	}
	const types = Object.fromEntries(session.inputMetadata.map(input => [input.name, input.type]));
	const result = { whole: known.length, stepped: 0, worst: 0 };
	for (const c of known) {
		const inputs = {};
		for (const [input, t] of Object.entries(c.inputs)) inputs[input] = tensor(ort, types[input], t.Data, t.Shape);
		const want = c.answers.native;
		const answers = await session.run(inputs);
		for (const output of session.outputNames) compare(result, `${name}: ${output}`, want[output].Data, want[output].Shape, answers[output]);
		if (c.stepwise) {
			result.stepped++;
			await stepwise(ort, session, name, inputs, want, result);
		}
	}
	await session.release();
	return result;
}

// stepwise feeds one step at a time and compares the answers to each.
async function stepwise(ort, session, name, { input, ...state }, want, result) {
	const steps = input.dims[1];
	const final = { h0: "hn", c0: "cn" };
	for (let step = 0; step < steps; step++) {
		const answers = await session.run({ input: stepOf(ort, input, step), ...state });
		for (const output of session.outputNames) {
			const { Data, Shape } = want[output];
			if (Object.values(final).includes(output) || Shape.length == 2) { // only for the last step
				if (step == steps - 1) compare(result, `${name}: ${output}, step by step`, Data, Shape, answers[output]);
			} else {
				compare(result, `${name}: ${output} of step ${step}`, slice(Data, Shape, step), [Shape[0], 1, Shape[2]], answers[output]);
			}
		}
		for (const h of Object.keys(state)) state[h] = answers[final[h]];
	}
}

function tensor(ort, type, data, shape) {
	return new ort.Tensor(type, type == "int64" ? BigInt64Array.from(data, BigInt) : Float32Array.from(data), shape);
}

// stepOf returns one step of a tensor of sequences, as sequences of length 1.
function stepOf(ort, t, step) {
	return new ort.Tensor(t.type, slice(t.data, t.dims, step), [t.dims[0], 1, ...t.dims.slice(2)]);
}

// slice returns the data of one step, from data of shape [batch, time, ...].
function slice(data, [batch, time], step) {
	const width = data.length / (batch * time);
	return data.filter((_, i) => Math.floor(i / width) % time == step);
}

function compare(result, what, want, shape, got) {
	if (got.dims.join() != shape.join()) throw new Error(`${what} has shape [${got.dims}], not [${shape}]`);
	let difference = 0;
	for (let i = 0; i < want.length; i++) {
		const d = Math.abs(got.data[i] - want[i]);
		if (!(d <= tolerance)) throw new Error(`${what} differs: value ${i} is ${got.data[i]}, not ${want[i]}`); // NaN too
		difference = Math.max(difference, d);
	}
	result.worst = Math.max(result.worst, difference);
}
