/** Linux as data: numbers, flags and struct offsets, without behaviour. */
module redoubt.abi {
  requires static org.jspecify;

  exports redoubt.abi;
}
