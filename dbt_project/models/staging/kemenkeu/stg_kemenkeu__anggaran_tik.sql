{{ stage('kemenkeu__anggaran_tik') }}
