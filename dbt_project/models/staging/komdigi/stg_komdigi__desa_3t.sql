{{ stage('komdigi__desa_3t') }}
