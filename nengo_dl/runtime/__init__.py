"""Everything that lives outside of the compiled function: values, data, messages."""
