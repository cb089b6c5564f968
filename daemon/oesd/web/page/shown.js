// A spectrum as a panel shows it, whether it came with the feed or from GET /oes.
export function fromFeed(event) {
  return {
    data_id: event.data_id, revision: event.revision, taken_at_utc: event.taken_at_utc, wavelengths: event.wavelengths_nm,
    scope_corrected: event.scope_corrected, baseline: event.baseline, detected_peaks: event.peaks, elements: event.elements, molecules: event.molecules,
    ambiguous: event.ambiguous ?? [], saturated: event.metadata?.saturated_pixels ?? Number(event.saturated), integration_us: event.integration_us, run_id: event.run_id, labels: event.labels, simulated: event.simulated, metadata: event.metadata ?? {},
  };
}

export function fromResult(result) {
  const metadata = result.spectral_metadata ?? {};
  return {
    ...result, whole: true, taken_at_utc: metadata.taken_at, saturated: metadata.saturated_pixels, integration_us: metadata.integration_us,
    run_id: metadata.run_id, labels: metadata.labels, simulated: metadata.simulated, metadata, baseline: null,
  };
}
